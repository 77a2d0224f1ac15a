package filter

import (
	"encoding/hex"
	"net/netip"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/pxescope/pxescope/classify/lazy"
)

// A token is one word of an expression.
type token struct {
	kind tokenKind
	text string
	at   int // bytes
	n    uint32
	mac  [6]byte
	addr netip.Addr
}

type tokenKind uint8

const (
	tokEnd    tokenKind = iota
	tokWord             // a keyword or an operator
	tokName             // any other name
	tokNumber           // n
	tokDotted           // 10.0, 10.0.0, 10.0.0.1
	tokAddr6            // addr
	tokMAC              // mac
)

var (
	reName   = lazy.Regexp(`^[A-Za-z0-9](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?`)
	reNumber = lazy.Regexp(`^(?:[0-9]+|0[xX][0-9A-Fa-f]+)$`)
	reDotted = lazy.Regexp(`^[0-9]+(?:\.[0-9]+){1,3}$`)
	reColons = lazy.Regexp(`^[0-9A-Fa-f:.]*`)
	reMAC    = lazy.Regexp(`^(?:[0-9A-Fa-f]{1,2}(?::[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(?:-[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{1,2}(?:\.[0-9A-Fa-f]{1,2}){5}|[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}\.[0-9A-Fa-f]{4}|[0-9A-Fa-f]{12})$`)
)

// MaxLength is how many bytes an expression may have.
const MaxLength = 1 << 16

// lex splits text as libpcap's scanner does: the longest match wins.
func lex(text string) ([]token, error) {
	if len(text) > MaxLength {
		return nil, &Error{Msg: "an expression has at most 65536 bytes"}
	}
	var out []token
	for i := 0; i < len(text); {
		c := text[i]
		if c == ' ' || c == '\t' || c == '\n' || c == '\r' {
			i++
			continue
		}
		t, n, err := next(text, i)
		if err != nil {
			return nil, err
		}
		t.at = i
		out = append(out, t)
		i += n
	}
	return append(out, token{kind: tokEnd, at: len(text)}), nil
}

func next(text string, i int) (token, int, error) {
	rest := text[i:]
	for _, op := range []string{">=", "<=", "!=", "==", "<<", ">>", "&&", "||"} {
		if strings.HasPrefix(rest, op) {
			w := map[string]string{"==": "=", "&&": "and", "||": "or"}[op]
			if w == "" {
				w = op
			}
			return token{kind: tokWord, text: w}, 2, nil
		}
	}
	if run := reColons().FindString(rest); strings.Count(run, ":") > 1 {
		if reMAC().MatchString(run) {
			return token{kind: tokMAC, text: run, mac: parseMAC(run)}, len(run), nil
		}
		if a, err := netip.ParseAddr(run); err == nil && a.Is6() {
			return token{kind: tokAddr6, text: run, addr: a}, len(run), nil
		}
	}
	if strings.IndexByte("+-*/%:[]!<>()&|^=", rest[0]) >= 0 {
		return token{kind: tokWord, text: rest[:1]}, 1, nil
	}
	if rest[0] == '\\' {
		n := strings.IndexAny(rest, " !()\n\t")
		if n < 0 {
			n = len(rest)
		}
		if n == 1 {
			return token{}, 0, errorAt(text, i, "a name has to follow the backslash", "")
		}
		return token{kind: tokName, text: rest[1:n]}, n, nil
	}
	s := reName().FindString(rest)
	switch {
	case s == "":
		r, _ := utf8.DecodeRuneInString(rest)
		return token{}, 0, errorAt(text, i, "unexpected "+strconv.QuoteRune(r), signHint(r))
	case reMAC().MatchString(s):
		return token{kind: tokMAC, text: s, mac: parseMAC(s)}, len(s), nil
	case reNumber().MatchString(s):
		n, err := strconv.ParseUint(strings.ToLower(s), 0, 32)
		if err != nil {
			return token{}, 0, errorAt(text, i, strconv.Quote(s)+" is not a number of 32 bits", "a leading 0 makes a number octal, 0x hexadecimal")
		}
		return token{kind: tokNumber, text: s, n: uint32(n)}, len(s), nil
	case reDotted().MatchString(s):
		return token{kind: tokDotted, text: s}, len(s), nil
	}
	if n, ok := constants[s]; ok {
		return token{kind: tokNumber, text: s, n: n}, len(s), nil
	}
	if w, ok := keywords[s]; ok {
		return token{kind: tokWord, text: w}, len(s), nil
	}
	if unsupported[s] {
		return token{kind: tokWord, text: s}, len(s), nil
	}
	return token{kind: tokName, text: s}, len(s), nil
}

// ParseMAC reads an Ethernet address in the forms that expressions allow.
func ParseMAC(s string) ([6]byte, error) {
	if !reMAC().MatchString(s) {
		return [6]byte{}, &Error{Msg: strconv.Quote(s) + " is not an Ethernet address", Hint: "as 52:54:00:12:34:56"}
	}
	return parseMAC(s), nil
}

// parseMAC reads what reMAC accepted.
func parseMAC(s string) (m [6]byte) {
	parts := strings.FieldsFunc(s, func(r rune) bool { return r == ':' || r == '-' || r == '.' })
	digits := s
	if len(parts) == 6 {
		digits = ""
		for _, p := range parts {
			digits += strings.Repeat("0", 2-len(p)) + p
		}
	} else {
		digits = strings.Join(parts, "")
	}
	b, err := hex.DecodeString(digits)
	if err == nil {
		copy(m[:], b)
	}
	return m
}

func errorAt(text string, at int, msg, hint string) *Error {
	return &Error{Position: utf8.RuneCountInString(text[:min(at, len(text))]) + 1, Msg: msg, Hint: hint}
}
