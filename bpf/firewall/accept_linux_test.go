package firewall

import (
	"bytes"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/pxescope/pxescope/capture/live/netlab"
)

func tool(t *testing.T, name string) {
	t.Helper()
	if _, err := exec.LookPath(name); err != nil {
		t.Skipf("%s is not installed", name)
	}
}

func in(ns, stdin string, args ...string) error {
	cmd := exec.Command("ip", append([]string{"netns", "exec", ns}, args...)...)
	cmd.Stdin = strings.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%v: %w: %s", args, err, out.Bytes())
	}
	return nil
}

// What is printed is what the tools take, in all cases of the golden files.
func TestToolsAccept(t *testing.T) {
	for _, x := range []struct {
		form string
		args []string
		bare string // the least that the tool has to take where it works at all
	}{
		{"nft", []string{"nft", "-c", "-f", "-"}, "table inet x { chain c { type filter hook input priority 0; ct state new accept; }; }\n"},
		{"iptables", []string{"iptables-restore", "--test", "--noflush"}, "*filter\n-A INPUT -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n"},
		{"ip6tables", []string{"ip6tables-restore", "--test", "--noflush"}, "*filter\n-A INPUT -m conntrack --ctstate NEW -j ACCEPT\nCOMMIT\n"},
		{"firewalld.sh", []string{"sh", "-n"}, ""},
	} {
		t.Run(x.form, func(t *testing.T) {
			tool(t, x.args[0])
			ns := netlab.Namespace(t, strings.TrimSuffix(x.form, ".sh"))
			if err := in(ns, x.bare, x.args...); err != nil {
				netlab.Lacking(t, "needs CAP_NET_ADMIN and a kernel with conntrack: %v", err)
			}
			for _, tt := range cases {
				if err := in(ns, forms(build(t, tt.o))[x.form], x.args...); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
		})
	}
}

// Loading twice replaces the table, and leaves what others have.
func TestReload(t *testing.T) {
	tool(t, "nft")
	ns := netlab.Namespace(t, "reload")
	if err := in(ns, "table inet others { chain c { }; }\n", "nft", "-f", "-"); err != nil {
		netlab.Lacking(t, "needs CAP_NET_ADMIN: %v", err)
	}
	text := build(t, cases[1].o).NFT()
	for range 2 {
		if err := in(ns, text, "nft", "-f", "-"); err != nil {
			t.Fatal(err)
		}
	}
	out, err := exec.Command("ip", "netns", "exec", ns, "nft", "list", "ruleset").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"table inet others", "table inet pxescope", `comment "tftp"`} {
		if got := strings.Count(string(out), want); got != 1 {
			t.Errorf("%q: got %d times, want once in:\n%s", want, got, out)
		}
	}
}
