package cli

import (
	"io"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/classify/report"
	"github.com/pxescope/pxescope/classify/track"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

func render(w io.Writer, format string, r *classify.Report, style text.Style) error {
	switch format {
	case "json":
		return report.JSON(w, r)
	case "ndjson":
		return report.Lines(w, r)
	}
	return text.Report(w, r, style)
}

// An exchangeWriter writes exchanges as lines until the first error.
type exchangeWriter struct {
	w   io.Writer
	err error
}

func newExchangeWriter(w io.Writer) *exchangeWriter { return &exchangeWriter{w: w} }

func (x *exchangeWriter) write(e *track.Exchange) {
	if x.err == nil {
		x.err = report.Exchange(x.w, e)
	}
}
