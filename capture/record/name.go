package record

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// ParseSize reads what tcpdump's -C takes: millions of bytes, or with the
// suffix k, m or g units of 1024, 1024^2 or 1024^3 bytes.
func ParseSize(s string) (int64, error) {
	digits, unit := s, int64(1_000_000)
	if s != "" {
		switch s[len(s)-1] {
		case 'k', 'K':
			unit = 1 << 10
		case 'm', 'M':
			unit = 1 << 20
		case 'g', 'G':
			unit = 1 << 30
		}
		if unit != 1_000_000 {
			digits = s[:len(s)-1]
		}
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || n == 0 {
		return 0, fmt.Errorf("size %q: want a number of millions of bytes, or with k, m or g of KiB, MiB or GiB", s)
	}
	if n > uint64(math.MaxInt64/unit) {
		return 0, fmt.Errorf("size %q: too large", s)
	}
	return int64(n) * unit, nil
}

// verbs are the conversions of strftime(3) that file names may hold.
var verbs = map[byte]func(time.Time) string{
	'a': func(t time.Time) string { return t.Format("Mon") },
	'A': func(t time.Time) string { return t.Format("Monday") },
	'b': func(t time.Time) string { return t.Format("Jan") },
	'B': func(t time.Time) string { return t.Format("January") },
	'd': func(t time.Time) string { return t.Format("02") },
	'F': func(t time.Time) string { return t.Format("2006-01-02") },
	'h': func(t time.Time) string { return t.Format("Jan") },
	'H': func(t time.Time) string { return t.Format("15") },
	'I': func(t time.Time) string { return t.Format("03") },
	'j': func(t time.Time) string { return t.Format("002") },
	'm': func(t time.Time) string { return t.Format("01") },
	'M': func(t time.Time) string { return t.Format("04") },
	'p': func(t time.Time) string { return t.Format("PM") },
	'R': func(t time.Time) string { return t.Format("15:04") },
	's': func(t time.Time) string { return strconv.FormatInt(t.Unix(), 10) },
	'S': func(t time.Time) string { return t.Format("05") },
	'T': func(t time.Time) string { return t.Format("15:04:05") },
	'u': func(t time.Time) string { return strconv.Itoa((int(t.Weekday())+6)%7 + 1) },
	'w': func(t time.Time) string { return strconv.Itoa(int(t.Weekday())) },
	'y': func(t time.Time) string { return t.Format("06") },
	'Y': func(t time.Time) string { return t.Format("2006") },
	'z': func(t time.Time) string { return t.Format("-0700") },
	'Z': func(t time.Time) string { return t.Format("MST") },
	'%': func(time.Time) string { return "%" },
}

// strftime replaces the conversions in a name.
func strftime(name string, t time.Time) (string, error) {
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '%' {
			b.WriteByte(name[i])
			continue
		}
		i++
		if i == len(name) {
			return "", fmt.Errorf("name %q ends with %%: write %%%% for the sign itself", name)
		}
		f := verbs[name[i]]
		if f == nil {
			return "", fmt.Errorf("name %q: %%%c is not supported: use %%Y %%m %%d %%H %%M %%S, %%F, %%j or %%s", name, name[i])
		}
		b.WriteString(f(t))
	}
	return b.String(), nil
}

// fileName is tcpdump's name of a file: with -G the time is put into it, and
// with -C all but the first get a number, or with -W every one, as wide as the
// largest.
func (o *Options) fileName(base string, t time.Time, n int) (string, error) {
	if o.RotateEvery > 0 {
		s, err := strftime(base, t)
		if err != nil {
			return "", err
		}
		base = s
	}
	width := 0
	if o.RotateBytes > 0 {
		for x := o.Files - 1; x > 0; x /= 10 {
			width++
		}
	}
	if n == 0 && width == 0 {
		return base, nil
	}
	return fmt.Sprintf("%s%0*d", base, width, n), nil
}
