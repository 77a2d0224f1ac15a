package pcapfile

import (
	"fmt"

	"github.com/pxescope/pxescope/capture"
)

// Option codes of pcapng, sections 3.5, 4.2, 4.3 and 4.6.
const (
	optEnd     = 0
	optComment = 1

	shbHardware = 2
	shbOS       = 3
	shbUserAppl = 4

	ifName        = 2
	ifDescription = 3
	ifTSResol     = 9
	ifFilter      = 11
	ifTSOffset    = 14

	epbDropCount = 4

	isbStartTime = 2
	isbEndTime   = 3
	isbIfRecv    = 4
	isbIfDrop    = 5
	isbOSDrop    = 7
)

// option takes the first option off b. At the end of the list it returns
// optEnd; an option that runs past the block is damage.
func (r *Reader) option(b []byte) (code uint16, v, rest []byte, err error) {
	if len(b) < 4 {
		return optEnd, nil, nil, nil
	}
	code = r.u16(b)
	n := int(r.u16(b[2:]))
	b = b[4:]
	if code == optEnd {
		return optEnd, nil, nil, nil
	}
	if n > len(b) {
		return 0, nil, nil, r.damage(fmt.Sprintf("option %d of %d bytes runs past its block", code, n))
	}
	return code, b[:n], b[min(len(b), (n+3)&^3):], nil
}

// interfaceDescription reads an Interface Description Block (section 4.2).
func (r *Reader) interfaceDescription(b []byte) error {
	if len(b) < 8 {
		return r.damage(fmt.Sprintf("interface description of %d bytes is too short", len(b)+blockOverhead))
	}
	if len(r.ifaces) >= maxInterfaces {
		return r.damage(fmt.Sprintf("more than %d interfaces", maxInterfaces))
	}
	f := capture.Interface{Link: capture.LinkType(r.u16(b)), SnapLen: r.u32(b[4:])}
	i := ngInterface{link: f.Link, snap: f.SnapLen, no: len(r.ifaces), res: resolution{exp: 6}}
	var description string
	for o := b[8:]; ; {
		code, v, rest, err := r.option(o)
		if err != nil {
			return err
		}
		if code == optEnd {
			break
		}
		switch {
		case code == ifName:
			f.Name = r.keep(v, maxName)
		case code == ifDescription:
			description = r.keep(v, maxName)
		case code == ifFilter && len(v) > 0:
			switch v[0] {
			case 0:
				f.Filter = r.keep(v[1:], maxFilter)
			case 1:
				f.Filter = "bpf bytecode"
			}
		case code == ifTSResol && len(v) >= 1:
			i.res.exp, i.res.binary = uint(v[0]&0x7f), v[0]&0x80 != 0
		case code == ifTSOffset && len(v) >= 8:
			i.res.offset = int64(r.u64(v))
		}
		o = rest
	}
	if f.Name == "" {
		f.Name = description
	}
	if !i.res.valid() {
		return r.damage(fmt.Sprintf("interface %d has the impossible timestamp resolution %v: its times would be wrong", len(r.section), i.res))
	}
	i.mul, i.limit = i.res.fast()
	r.section = append(r.section, i)
	r.ifaces = append(r.ifaces, iface{Interface: f})
	return nil
}

// statistics reads an Interface Statistics Block (section 4.6). Its counts
// run from the start of the capture, so the last block counts.
func (r *Reader) statistics(b []byte) {
	if len(b) < 12 {
		return
	}
	id := r.u32(b)
	if uint64(id) >= uint64(len(r.section)) {
		return
	}
	in := &r.section[id]
	f := &r.ifaces[in.no].Interface
	var drops capture.Count
	for o := b[12:]; ; {
		code, v, rest, err := r.option(o)
		if err != nil || code == optEnd {
			break
		}
		if code == isbEndTime && len(v) == 8 {
			f.End = in.timed(uint64(r.u32(v))<<32 | uint64(r.u32(v[4:]))) // high and low, as of packets
		} else if len(v) == 8 {
			n := r.u64(v)
			switch code {
			case isbIfRecv:
				f.Received = capture.Count{Known: true, N: n}
			case isbIfDrop, isbOSDrop:
				drops = capture.Count{Known: true, N: addSaturating(drops.N, n)}
			}
		}
		o = rest
	}
	if drops.Known {
		f.Dropped = drops
	}
}
