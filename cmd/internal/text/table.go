package text

import (
	"fmt"
	"strconv"
	"strings"

	"charm.land/lipgloss/v2"
	"charm.land/lipgloss/v2/table"
)

// table aligns rows under headings; the first left columns hold words, the
// others numbers.
func (s Style) table(head []string, rows [][]string, left int) string {
	if !s.Color {
		return plainTable(head, rows, left)
	}
	t := table.New().Headers(head...).Rows(rows...).
		BorderTop(false).BorderBottom(false).BorderLeft(false).BorderRight(false).
		BorderColumn(false).BorderHeader(false).BorderRow(false).
		StyleFunc(func(row, col int) lipgloss.Style {
			st := lipgloss.NewStyle().PaddingRight(2)
			if col >= left {
				st = st.Align(lipgloss.Right)
			}
			if row == table.HeaderRow && s.Color {
				st = st.Faint(true)
			}
			return st
		})
	var b strings.Builder
	for _, line := range strings.Split(t.String(), "\n") {
		b.WriteString(strings.TrimRight(line, " "))
		b.WriteByte('\n')
	}
	return b.String()
}

// gap is the number of spaces between columns.
const gap = 2

// plainTable is table without colour: lipgloss takes milliseconds for one of a
// hundred lines, more than all the rest of pxescope catalog.
func plainTable(head []string, rows [][]string, left int) string {
	wide := make([]int, len(head))
	all := append([][]string{head}, rows...)
	for _, r := range all {
		for i, c := range r {
			wide[i] = max(wide[i], width(c))
		}
	}
	var b strings.Builder
	for _, r := range all {
		spaces := 0 // owed, so that none end a line
		for i, c := range r {
			fill := wide[i] - width(c)
			if i >= left {
				spaces, fill = spaces+fill, 0
			}
			if c != "" {
				b.WriteString(strings.Repeat(" ", spaces))
				b.WriteString(c)
				spaces = 0
			}
			spaces += fill + gap
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// width is how many columns of a terminal s takes.
func width(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return lipgloss.Width(s)
		}
	}
	return len(s)
}

// Size is a number of bytes for people, in powers of 1024.
func Size(n int64) string {
	if n < 1024 {
		return strconv.FormatInt(n, 10) + " B"
	}
	v, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		v /= 1024
		if v < 1023.95 {
			break
		}
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

// count groups digits by thousands.
func count(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func plural(n uint64, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}
