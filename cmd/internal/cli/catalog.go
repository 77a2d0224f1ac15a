package cli

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/pxescope/pxescope/classify/catalog"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

func newCatalog(s Streams) *cobra.Command {
	var look lookOptions
	var format, phase, platform string
	var files []string
	var rows bool
	cmd := &cobra.Command{
		Use:   "catalog [ID]",
		Short: "the table of provisioning services",
		Long: `Prints the services that traffic is classified as, or everything about one of
them: its ports, who starts it, the rows of the xCAT and MAAS port documents it
stands on, and what is wrong in them.`,
		Example: `  pxescope catalog
  pxescope catalog tftp
  pxescope catalog --phase provisioning --platform maas
  pxescope catalog --rows --format csv > ports.csv`,
		Args: cobra.MaximumNArgs(1),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var ids []string
			for _, v := range catalog.Default().Services() {
				ids = append(ids, v.ID+"\t"+v.Name)
			}
			return ids, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := catalogWith(files)
			if err != nil {
				return err
			}
			list, err := selectServices(c, args, phase, platform)
			if err != nil {
				return err
			}
			out, style, err := look.open(s, "")
			if err != nil {
				return err
			}
			defer out.discard()
			switch {
			case format == "text" && len(args) == 1:
				err = text.Service(out, list[0], style)
			case format == "text" && rows:
				err = text.Rows(out, list, style)
			case format == "text":
				err = text.Services(out, list, style)
			case format == "json":
				err = text.ServicesJSON(out, list)
			case format == "csv":
				err = text.RowsCSV(out, list)
			case format == "markdown" && rows:
				err = text.RowsMarkdown(out, list)
			case format == "markdown":
				err = text.ServicesMarkdown(out, list)
			default:
				return usage("--format %q: choose text, json, csv or markdown", format)
			}
			return done(out, err)
		},
	}
	f := cmd.Flags()
	f.StringVar(&format, "format", "text", "output `FORMAT`: text, json, csv (one line per row of the documents), markdown")
	f.StringVar(&phase, "phase", "", "only services of this `PHASE`: "+join(catalog.Phases()))
	f.StringVar(&platform, "platform", "all", "only services of this `PLATFORM`: maas, xcat or all")
	f.BoolVar(&rows, "rows", false, "the rows of the port documents instead of the services")
	f.StringSliceVar(&files, "catalog", nil, "add or override services from a YAML `FILE` (repeatable)")
	f.StringVar(&look.color, "color", "auto", "colour `WHEN`: auto, always, never")
	complete(cmd, "format", "text", "json", "csv", "markdown")
	complete(cmd, "phase", strings.Split(join(catalog.Phases()), ", ")...)
	return cmd
}

func selectServices(c *catalog.Catalog, args []string, phase, platform string) ([]*catalog.Service, error) {
	if len(args) == 1 {
		if v := c.ByID(args[0]); v != nil {
			return []*catalog.Service{v}, nil
		}
		e := &statusError{status: ExitUsage, err: fmt.Errorf("no service %q", args[0]), hint: "'pxescope catalog' lists them"}
		if near := c.Near(args[0]); len(near) > 0 {
			e.hint = "did you mean " + strings.Join(near, " or ") + "? " + e.hint
		}
		return nil, e
	}
	if err := checkChoice("phase", phase, catalog.Phases(), true); err != nil {
		return nil, err
	}
	platforms := append([]catalog.Platform{catalog.AllPlatforms}, c.Platforms()...)
	if err := checkChoice("platform", platform, platforms, true); err != nil {
		return nil, err
	}
	var out []*catalog.Service
	for _, v := range c.ForPlatform(catalog.Platform(platform)) {
		if phase == "" || v.In(catalog.Phase(phase)) {
			out = append(out, v)
		}
	}
	return out, nil
}

// hasRow finds a service by the name that a port document gives it.
