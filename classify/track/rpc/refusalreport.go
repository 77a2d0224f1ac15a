package rpc

import (
	"fmt"
	"strings"

	"github.com/pxescope/pxescope/classify/finding"
	"github.com/pxescope/pxescope/classify/track"
)

// refresh reports a refusal again that was reported before.
func (t *tracker) refresh(r *refusal, out *track.Out) {
	if r.shown != nil {
		t.showRefusal(r, false, out)
	}
}

// showRefusal reports r; early: the capture ended before another attempt could
// have been seen.
func (t *tracker) showRefusal(r *refusal, early bool, out *track.Out) {
	p := r.pair
	var subject string
	switch r.key.rule {
	case RuleNotRegistered, RuleAuthError:
		subject = programName(r.key.what)
	case RuleMountDenied:
		subject = r.key.path
	}
	f := p.finding(r.key.rule, subject)
	f.Node.Port, f.Server.Port = r.from, r.port
	f.First, f.Last = r.first, r.last
	f.Frames = append(f.Frames, r.frames...)
	if early {
		f.Confidence = f.Confidence.Lower()
	}
	answer := finding.Fact{Key: "answer", Value: r.reason}
	times := ""
	if r.count > 1 {
		times = fmt.Sprintf(", %d times", r.count)
	}
	switch r.key.rule {
	case RuleNotRegistered:
		f.Summary = fmt.Sprintf("%s has no %s (asked for %s): %s", p.key.server, programName(r.key.what), strings.Join(r.tried, " and "), r.reason)
		f.Facts = append(f.Facts, finding.Fact{Key: "program", Value: int64(r.key.what)}, finding.Fact{Key: "asked", Value: r.tried}, answer)
		if r.key.what == programNLM {
			f.Severity = finding.Warning // a root without locks works
		}
	case RuleMountDenied:
		words, path := statusWords[r.status], "an export"
		if words != "" {
			words = " (" + words + ")"
		}
		if r.key.path != "" {
			path = fmt.Sprintf("%q", r.key.path)
		}
		f.Summary = fmt.Sprintf("%s refused to mount %s for %s%s: %s%s", p.key.server, path, p.key.client, times, r.reason, words)
		f.Facts = append(f.Facts, finding.Fact{Key: "path", Value: r.key.path}, finding.Fact{Key: "client", Value: p.key.client.String()},
			finding.Fact{Key: "status", Value: int64(r.status)}, finding.Fact{Key: "version", Value: r.subject}, answer, finding.Fact{Key: "source_port", Value: int(r.from)})
	case RulePrivilegedPort:
		f.Summary = fmt.Sprintf("%s refused %s from source port %d: %s; exports want a port below 1024 unless they are marked insecure", p.key.server, r.subject, r.from, r.reason)
		f.Facts = append(f.Facts, finding.Fact{Key: "source_port", Value: int(r.from)}, answer)
	case RuleAuthError:
		f.Summary = fmt.Sprintf("%s denied %s%s: AUTH_ERROR %s", p.key.server, r.subject, times, r.reason)
		f.Facts = append(f.Facts, finding.Fact{Key: "auth_status", Value: int64(r.status)}, answer, finding.Fact{Key: "count", Value: r.count}, finding.Fact{Key: "source_port", Value: int(r.from)})
	}
	f.Facts = p.facts(f.Facts)
	r.shown = &f
	out.Find(f)
}

var authNames = map[uint32]string{
	1: "AUTH_BADCRED", 2: "AUTH_REJECTEDCRED", 3: "AUTH_BADVERF", 4: "AUTH_REJECTEDVERF", authTooWeak: "AUTH_TOOWEAK", 6: "AUTH_INVALIDRESP",
	7: "AUTH_FAILED", authGSSCredProb: "RPCSEC_GSS_CREDPROBLEM", authGSSCtxProb: "RPCSEC_GSS_CTXPROBLEM",
}

// authName is the number of an authentication status with its name.
func authName(s uint32) string {
	if n := authNames[s]; n != "" {
		return fmt.Sprintf("%d %s", s, n)
	}
	return fmt.Sprint(s)
}
