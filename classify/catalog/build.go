package catalog

import (
	"fmt"
	"slices"
)

// A claim is one service's hold on one port.
type claim struct {
	index      Index
	use        Use
	clients    Range
	generation int
}

// claimPorts fills the tables. On one port
//   - a service of a later Load comes before an earlier one: the site knows best;
//   - a claim that is not expected on the wire (Listed) yields to any other;
//   - of two, the one with client ports gets those clients and the other the
//     rest (a Split);
//   - anything else is an error: one of the two has to say Shared.
func (c *Catalog) claimPorts() error {
	order := make([]*Service, len(c.services))
	for i := range c.services {
		order[i] = &c.services[i]
	}
	slices.SortStableFunc(order, func(a, b *Service) int { return a.generation - b.generation })

	claims := make(map[portKey][]claim)
	for _, s := range order {
		for _, p := range s.Ports {
			if p.First == 0 || p.Last < p.First || p.Proto != TCP && p.Proto != UDP {
				return fmt.Errorf("service %q: %s is no claim on ports", s.ID, p)
			}
			for n := int(p.First); n <= int(p.Last); n++ {
				k := portKey{p.Proto, uint16(n)}
				claims[k] = append(claims[k], claim{s.Index, p.Use, s.ClientPorts, s.generation})
			}
		}
	}
	keys := make([]portKey, 0, len(claims))
	for k := range claims {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b portKey) int { // splits in a fixed order
		return int(a.proto)<<16 + int(a.port) - int(b.proto)<<16 - int(b.port)
	})
	for _, k := range keys {
		if err := c.settle(k, claims[k]); err != nil {
			return err
		}
	}
	return nil
}

// settle decides who owns a port. all are in the order of generations.
func (c *Catalog) settle(k portKey, all []claim) error {
	var owner claim
	var splits []claim // the latest first
	for _, x := range all {
		switch {
		case x.use == Shared:
		case owner.index == None:
			owner = x
		case x.index == owner.index:
			return fmt.Errorf("service %q claims %s/%d twice", c.At(x.index).ID, k.proto, k.port)
		case x.use == Listed && owner.use == Listed:
			return c.conflict(k, owner, x)
		case x.use == Listed:
		case owner.use == Listed:
			owner = x
		case x.clients != Range{} && (owner.clients == Range{} || x.generation > owner.generation):
			splits = append([]claim{x}, splits...)
		case x.generation > owner.generation:
			owner, splits = x, nil
		case owner.clients != Range{} && x.clients == Range{}:
			splits = append([]claim{owner}, splits...)
			owner = x
		default:
			return c.conflict(k, owner, x)
		}
	}
	if owner.index == None {
		return fmt.Errorf("service %q shares %s/%d, which nobody owns", c.At(all[0].index).ID, k.proto, k.port)
	}
	c.enter(k, owner, splits, all)
	return nil
}

func (c *Catalog) conflict(k portKey, a, b claim) error {
	return fmt.Errorf("services %q and %q both claim %s/%d", c.At(a.index).ID, c.At(b.index).ID, k.proto, k.port)
}

// enter writes what settle decided into the table.
func (c *Catalog) enter(k portKey, owner claim, splits, all []claim) {
	if len(all) > 1 {
		list := []Index{owner.index}
		for _, x := range slices.Concat(splits, all) {
			if !slices.Contains(list, x.index) {
				list = append(list, x.index)
			}
		}
		c.shared[k] = list
	}
	if owner.use == Listed && 512 <= k.port && k.port <= 1023 {
		return // there it is rather the port of someone's RPC client
	}
	e := Entry(owner.index) | rank(k.port, owner, splits)<<rankShift
	if owner.use == Client {
		e |= entryClient
	}
	if len(splits) > 0 {
		e |= entrySplit
	}
	if len(c.shared[k]) > 1+len(splits) {
		e |= entryShared
	}
	for _, x := range splits {
		c.splits = append(c.splits, Split{k.proto, k.port, x.clients, x.index})
	}
	c.Table(uint8(k.proto))[k.port] = e
}

func rank(port uint16, owner claim, splits []claim) Entry {
	called := func(x claim) bool { return x.clients != Range{} && x.clients.Last <= Reserved.Last }
	switch {
	case owner.use == Listed:
		return rankListed
	case owner.use == Client:
		return rankClient
	case port < 512:
		return rankLow
	case called(owner) || slices.ContainsFunc(splits, called):
		if port > Reserved.Last {
			return rankCalledHigh
		}
		return rankCalled
	case port > Reserved.Last:
		return rankHigh
	}
	return rankReserved
}
