package cli

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

var update = flag.Bool("update", false, "write golden files, the README's tables and the man pages anew")

const root = "../../.."

// chroot runs the test in the module's root, where the README's commands run.
func chroot(t *testing.T) {
	t.Helper()
	t.Chdir(root)
}

func pxescope(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	status = Run(args, Streams{In: strings.NewReader(""), Out: &out, Err: &errs})
	return status, out.String(), errs.String()
}

// The output and the tables in the README are what the program prints.
func TestREADME(t *testing.T) {
	chroot(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	block := regexp.MustCompile(`(?s)<!-- (output|table): ([^>]*) -->\n(.*?)<!-- end -->`)
	fresh := block.ReplaceAllStringFunc(string(readme), func(s string) string {
		m := block.FindStringSubmatch(s)
		return "<!-- " + m[1] + ": " + m[2] + " -->\n" + generated(t, m[1], m[2]) + "<!-- end -->"
	})
	if *update {
		if err := os.WriteFile("README.md", []byte(fresh), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(fresh, string(readme)); diff != "" {
		t.Errorf("README.md is not what the program prints; run 'make docs':\n%s", diff)
	}
}

func generated(t *testing.T, kind, what string) string {
	var b bytes.Buffer
	var err error
	switch {
	case kind == "output":
		t.Setenv("COLUMNS", "100")
		status, out, errs := pxescope(t, strings.Fields(what)...)
		if status != ExitOK {
			t.Fatalf("pxescope %s: exit status %d: %s", what, status, errs)
		}
		return "```\n" + out + "```\n"
	case what == "findings":
		err = text.RulesMarkdown(&b, classify.Rules())
	case what == "services":
		err = text.ServicesMarkdown(&b, catalog.Default().ForPlatform(catalog.AllPlatforms))
	default:
		t.Fatalf("README.md: unknown block %s: %s", kind, what)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// Every pxescope line of the README runs, apart from those that read what is
// not there: their command and flags are checked through --help.
func TestREADMECommands(t *testing.T) {
	chroot(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	word := regexp.MustCompile(`'[^']*'|\S+`) // of a shell
	seen := 0
	for _, fence := range regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(string(readme), -1) {
		for _, line := range strings.Split(fence[1], "\n") {
			at := strings.Index(line, "pxescope ")
			if at < 0 {
				continue
			}
			seen++
			cmd := line[at+len("pxescope "):]
			for _, end := range []string{" #", " &&", " |", " >"} {
				cmd, _, _ = strings.Cut(cmd, end)
			}
			args := word.FindAllString(cmd, -1)
			for i, a := range args {
				args[i] = strings.Trim(a, "'")
			}
			missing := slices.Contains([]string{"live", "count"}, args[0]) && !slices.Contains(args, "-D") // an interface, and rights
			for _, a := range args[1:] {
				if strings.Contains(a, ".pcap") || strings.Contains(a, ".tar") || a == "-" {
					if _, err := os.Stat(a); err != nil {
						missing = true
					}
				}
			}
			if missing {
				args = append(args, "--help")
			}
			if status, _, errs := pxescope(t, args...); status != ExitOK {
				t.Errorf("%s: exit status %d: %s", line, status, errs)
			}
		}
	}
	if seen < 15 {
		t.Errorf("found %d commands in the README, want at least 15", seen)
	}
}

// The first command of the quick start runs as it stands, through the shell.
func TestQuickStart(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the program; not in -short")
	}
	chroot(t)
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile("(?s)## Quick start.*?```sh\n(.*?)```").FindSubmatch(readme)
	if m == nil {
		t.Fatal("no first command under Quick start")
	}
	cmd := exec.Command("sh", "-c", string(m[1]))
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", m[1], err, errs.String())
	}
	for _, id := range []string{"dhcp-rogue-libvirt", "tftp-no-answer"} {
		if !bytes.Contains(out, []byte(id)) {
			t.Errorf("the output does not name %s:\n%s", id, out)
		}
	}
}
