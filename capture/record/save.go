package record

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"

	"github.com/pxescope/pxescope/capture"
	"github.com/pxescope/pxescope/capture/pcapfile"
)

// searched is how far into a packet addresses are looked for: over the headers
// of a tunnel and the addresses in ARP, DHCP and quotes in ICMP.
const searched = 512

// save writes an incident beside its name and renames it.
func (r *Recorder) save(n *Incident) (path string, size int64, err error) {
	name, err := r.freeName(n)
	if err != nil {
		return "", 0, err
	}
	temp := "." + name + ".tmp"
	f, err := r.root.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, fileMode)
	if err != nil {
		return "", 0, fmt.Errorf("save %s: %w", filepath.Join(r.dir, name), cause(err))
	}
	var out blockFile
	err = out.reset(f, false)
	out.regular = false // half a file is removed, not cut
	if err == nil {
		err = r.writeIncident(&out, n)
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = r.root.Rename(temp, name)
	}
	if err != nil {
		r.root.Remove(temp)
		return "", 0, fmt.Errorf("save %s: %w", filepath.Join(r.dir, name), cause(err))
	}
	return filepath.Join(r.dir, name), out.base, nil
}

// freeName is the file's name: when, who, what. Names have nothing in them
// that a file system or a shell could take ill.
func (r *Recorder) freeName(n *Incident) (string, error) {
	node := n.Node
	if node == "" {
		node = "segment"
	}
	stem := r.now.Std().Format("20060102T150405Z") + "_" + safeName(node, 40) + "_" + safeName(n.Rule, 60)
	for i := 1; i < 1000; i++ {
		name := stem + ".pcapng"
		if i > 1 {
			name = fmt.Sprintf("%s_%d.pcapng", stem, i)
		}
		if _, err := r.root.Lstat(name); errors.Is(err, fs.ErrNotExist) {
			return name, nil
		} else if err != nil {
			return "", fmt.Errorf("save %s: %w", filepath.Join(r.dir, name), cause(err))
		}
	}
	return "", fmt.Errorf("save %s: that name is taken a thousand times", filepath.Join(r.dir, stem))
}

func safeName(s string, most int) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case b.Len() == most:
			return b.String()
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '.' && b.Len() > 0, c == '_' && b.Len() > 0:
			b.WriteRune(c)
		default:
			b.WriteByte('-')
		}
	}
	return b.String()
}

// writeIncident writes the section with its comment, the interfaces, and the
// packets.
func (r *Recorder) writeIncident(out *blockFile, n *Incident) error {
	cites := make(map[capture.FrameID]string, len(n.Cites))
	for _, c := range n.Cites {
		if t := cites[c.Frame]; t != "" && t != c.Text {
			cites[c.Frame] = t + "; " + c.Text
		} else {
			cites[c.Frame] = c.Text
		}
	}
	m := newMatcher(r, n, cites)
	var chosen []capture.Packet // their data is the ring's
	cited := 0
	r.ring.each(func(p *capture.Packet) bool {
		if m.match(p) {
			chosen = append(chosen, *p)
			if _, ok := cites[p.ID]; ok {
				cited++
			}
		}
		return true
	})
	s := r.o.Section
	s.Comment = comment(s.Comment, n, chosen, len(cites)-cited)
	w, err := pcapfile.NewNgWriter(out, s)
	if err != nil {
		return err
	}
	t := interfaces{}
	t.begin(r.ifaces)
	if err := t.describeAll(w); err != nil {
		return err
	}
	for i := range chosen {
		p := &chosen[i]
		text := ""
		if c, ok := cites[p.ID]; ok {
			text = fmt.Sprintf("frame %d", p.ID.Number())
			if c != "" {
				text += ": " + c
			}
		}
		if p.Iface, err = t.describe(w, p); err != nil {
			return err
		}
		if err := w.WritePacket(p, text); err != nil {
			return err
		}
	}
	return out.flush()
}

// comment is the section's: what is known, and what the file lacks.
func comment(before string, n *Incident, chosen []capture.Packet, gone int) string {
	var b strings.Builder
	if before != "" {
		b.WriteString(before + "\n")
	}
	if n.Summary != "" {
		b.WriteString(n.Summary + "\n")
	}
	fmt.Fprintf(&b, "finding: %s", n.Rule)
	if n.Node != "" {
		fmt.Fprintf(&b, ", node: %s", n.Node)
	}
	if len(chosen) == 0 {
		b.WriteString("\nno packet of it was in memory any more")
		return b.String()
	}
	fmt.Fprintf(&b, "\n%d packets, of the frames %d to %d of the capture", len(chosen), chosen[0].ID.Number(), chosen[len(chosen)-1].ID.Number())
	if gone > 0 {
		fmt.Fprintf(&b, "; %d of the frames that the finding cites were not in memory any more", gone)
	}
	return b.String()
}

// A matcher chooses the packets of an incident.
type matcher struct {
	from    capture.Time
	node    [][]byte // bytes of the node's addresses
	servers [][]byte
	cites   map[capture.FrameID]string
}

func newMatcher(r *Recorder, n *Incident, cites map[capture.FrameID]string) *matcher {
	m := &matcher{cites: cites, from: n.First.Add(-r.o.Before)}
	if n.First == 0 {
		m.from = 0
	}
	for _, a := range n.MACs {
		if a != ([6]byte{}) && a[0]&1 == 0 {
			m.node = append(m.node, a[:])
		}
	}
	m.node = appendAddrs(m.node, n.Addrs)
	m.servers = appendAddrs(nil, n.Servers)
	return m
}

func appendAddrs(to [][]byte, addrs []netip.Addr) [][]byte {
	for _, a := range addrs {
		a = a.Unmap()
		if a.IsValid() && !a.IsUnspecified() && !a.IsMulticast() && a != netip.AddrFrom4([4]byte{255, 255, 255, 255}) {
			to = append(to, a.AsSlice())
		}
	}
	return to
}

// match reports whether p belongs to the incident. Addresses are looked for as
// bytes, wherever they are: that finds the node in Ethernet, ARP, DHCP, IP, in
// a tunnel and in what an ICMP error quotes, and of other nodes' packets next
// to none.
func (m *matcher) match(p *capture.Packet) bool {
	if p.Time < 0 {
		return false // pcapng cannot hold it
	}
	if _, ok := m.cites[p.ID]; ok {
		return true
	}
	if p.Time < m.from {
		return false
	}
	head := p.Data[:min(len(p.Data), searched)]
	for _, a := range m.node {
		if bytes.Contains(head, a) {
			return true
		}
	}
	if !toAll(p) {
		return false
	}
	for _, a := range m.servers {
		if bytes.Contains(head, a) {
			return true
		}
	}
	return false
}

// toAll reports whether a packet went to a group, or is ARP.
func toAll(p *capture.Packet) bool {
	if p.Link != capture.LinkEthernet || len(p.Data) < 14 {
		return false
	}
	return p.Data[0]&1 != 0 || p.Data[12] == 8 && p.Data[13] == 6
}
