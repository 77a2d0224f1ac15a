package catalog

import (
	"fmt"
	"maps"
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
//   - a claim that is not expected on the wire (Listed) yields to any other;
//   - the more specific claim comes first: a service with client ports gets
//     those clients, one without them the rest (a Split);
//   - of two that are alike, the later Load wins: the site knows best;
//   - of two alike of the same load, one has to say Shared: anything else is a
//     conflictError.
func (c *Catalog) claimPorts() error {
	claims := make(map[portKey][]claim)
	for i := range c.services {
		s := &c.services[i]
		for _, p := range s.Ports {
			if p.First == 0 || p.Last < p.First || p.Proto != TCP && p.Proto != UDP {
				return fmt.Errorf("service %q: %s/%d-%d is no claim on ports", s.ID, p.Proto, p.First, p.Last)
			}
			for n := int(p.First); n <= int(p.Last); n++ {
				k := portKey{p.Proto, uint16(n)}
				claims[k] = append(claims[k], claim{s.Index, p.Use, s.ClientPorts, p.generation})
			}
		}
	}
	keys := slices.SortedFunc(maps.Keys(claims), func(a, b portKey) int { // splits in a fixed order
		return int(a.proto)<<16 + int(a.port) - int(b.proto)<<16 - int(b.port)
	})
	for _, k := range keys {
		all := claims[k]
		slices.SortStableFunc(all, func(a, b claim) int { return a.generation - b.generation })
		if err := c.settle(k, all); err != nil {
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
		case x.use == Listed && owner.use != Listed:
		case owner.use == Listed && x.use != Listed:
			owner = x
		case x.specific() && (!owner.specific() || x.generation > owner.generation):
			for _, y := range splits {
				if y.generation == x.generation && y.clients.overlaps(x.clients) {
					return c.conflict(k, y, x)
				}
			}
			splits = slices.Insert(splits, 0, x)
		case owner.specific() && !x.specific():
			splits = append(splits, owner)
			owner = x
		case x.generation > owner.generation:
			owner = x
		default:
			return c.conflict(k, owner, x)
		}
	}
	if owner.index == None {
		owner = all[0] // only when a Load moved the owner away
	}
	c.enter(k, owner, splits, all)
	return nil
}

func (x claim) specific() bool { return x.clients != Range{} }

// A conflictError is two claims on one port that nothing tells apart.
type conflictError struct {
	key           portKey
	first, second string // ids
}

func (e *conflictError) Error() string {
	return fmt.Sprintf("services %q and %q both claim %s/%d", e.first, e.second, e.key.proto, e.key.port)
}

func (c *Catalog) conflict(k portKey, a, b claim) error {
	return &conflictError{k, c.At(a.index).ID, c.At(b.index).ID}
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
	c.taken(k.proto)[k.port>>6] |= 1 << (k.port & 63)
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
