//go:build ignore

// Gen writes table.bin from IEEE's listings as Debian's package ieee-data
// installs them. Run it through go generate; -dir names another place.
package main

import (
	"cmp"
	"encoding/binary"
	"encoding/csv"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

type block struct {
	prefix uint64
	name   string
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("oui: ")
	dir := flag.String("dir", "/usr/share/ieee-data", "folder of iab.csv, mam.csv, oui.csv and oui36.csv")
	flag.Parse()

	blocks := map[int][]block{} // by bits
	for _, file := range []string{"oui36.csv", "iab.csv", "mam.csv", "oui.csv"} {
		if err := read(filepath.Join(*dir, file), blocks); err != nil {
			log.Fatal(err)
		}
	}
	raw := encode(blocks)
	if err := os.WriteFile("table.bin", raw, 0o644); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%d blocks of 36, %d of 28, %d of 24 bits: %d bytes\n",
		len(blocks[36]), len(blocks[28]), len(blocks[24]), len(raw))
}

func read(path string, blocks map[int][]block) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	for _, row := range rows[1:] {
		prefix, err := strconv.ParseUint(row[1], 16, 64)
		if err != nil {
			return fmt.Errorf("read %s: %w", path, err)
		}
		// Owners of nothing but smaller blocks, and those who do not want to be
		// named, say nothing about a card.
		name := shorten(row[2])
		if name == "" || name == "Private" || name == "IEEE Registration Authority" {
			continue
		}
		bits := 4 * len(row[1])
		blocks[bits] = append(blocks[bits], block{prefix, name})
	}
	return nil
}

// legal matches what follows the name of a company.
var legal = regexp.MustCompile(`(?i)[\s,.]+(` +
	`inc(orporated|orporation)?|co|corp(oration)?|corporate|company|ltd|limited|llc|l\.l\.c|llp|gmbh( ?& ?co\.? ?kg)?|ag|kg|se|s\.?a|s\.?a\.?s|s\.?r\.?l|s\.?p\.?a|` +
	`b\.?v|n\.?v|a/s|a\.s|aps|as|ab|oy|oyj|pty|pte|plc|k\.?k|sdn|bhd|sp\.? ?z ?o\.? ?o|d\.o\.o|s\.r\.o|kft|ltda|lda|pvt|private` +
	`)[\s,.]*$`)

var spaces = regexp.MustCompile(`\s+`)

func shorten(name string) string {
	name = strings.TrimSpace(spaces.ReplaceAllString(strings.ReplaceAll(name, "（", "("), " "))
	for {
		s := strings.TrimRight(legal.ReplaceAllString(name, ""), " ,")
		if s == name || s == "" {
			break
		}
		name = s
	}
	const most = 40
	if r := []rune(name); len(r) > most {
		name = strings.TrimSpace(string(r[:most]))
	}
	return name
}

func encode(blocks map[int][]block) []byte {
	index := map[string]uint64{}
	var names []string
	for _, bs := range blocks {
		for _, b := range bs {
			if _, ok := index[b.name]; !ok {
				index[b.name] = 0
				names = append(names, b.name)
			}
		}
	}
	slices.Sort(names)
	if len(names) > 1<<16 {
		log.Fatalf("%d names: the index has 16 bits", len(names))
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(names)))
	start := 0
	for i, n := range names {
		index[n] = uint64(i)
		out = binary.BigEndian.AppendUint32(out, uint32(start))
		start += len(n)
	}
	out = binary.BigEndian.AppendUint32(out, uint32(start))
	for _, n := range names {
		out = append(out, n...)
	}
	for _, bits := range []int{36, 28, 24} {
		bs := blocks[bits]
		slices.SortStableFunc(bs, func(a, b block) int { return cmp.Compare(a.prefix, b.prefix) })
		// The listing has a few prefixes twice: the first stands.
		bs = slices.CompactFunc(bs, func(a, b block) bool { return a.prefix == b.prefix })
		out = binary.BigEndian.AppendUint32(out, uint32(len(bs)))
		for _, b := range bs {
			for i := (bits+7)/8 - 1; i >= 0; i-- {
				out = append(out, byte(b.prefix>>(8*i)))
			}
		}
		for _, b := range bs {
			out = binary.BigEndian.AppendUint16(out, uint16(index[b.name]))
		}
	}
	return out
}
