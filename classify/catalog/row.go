package catalog

// A Row is one line of a document that the catalog stands on. For the seed
// documents its fields are verbatim, down to "[na]_" in a port column; an empty
// field is one that the document does not have. JSON and CSV use the tags.
type Row struct {
	Source string `json:"source"` // the document, see the Seed constants; Own; or the file it was loaded from
	Number int    `json:"row"`    // 1-based in its document

	Platform    Platform `json:"platform"`
	Section     string   `json:"section"` // the heading it stands under
	Name        string   `json:"name"`
	Protocol    string   `json:"protocol"`
	Port        string   `json:"port"`
	SourcePorts string   `json:"source_ports"`
	Direction   string   `json:"direction"`
	Who         string   `json:"who"`
	Requirement string   `json:"requirement"`
	Note        string   `json:"note"` // a note or footnote of the document

	// Correction says what the wire does where the row misleads. Empty when
	// the row is right.
	Correction string `json:"correction"`
	// Reference is where the correction, or a row of our own, can be checked.
	Reference string `json:"reference"`

	Service string `json:"service"` // filled in by New, as is Phase
	Phase   Phase  `json:"phase"`
}

// Sources of rows.
const (
	SeedXCAT = "xcat-ports.rst" // xCAT: Ports Used by xCAT, 44 rows
	SeedMAAS = "maas-ports.txt" // MAAS: Network troubleshooting: Ports and protocols, 22 rows in five tables
	Own      = "pxescope"       // what both miss
)

// xcat is row n of SeedXCAT, columns in the document's order.
func xcat(n int, port, protocol, sourceRange, name, requirement string) Row {
	return Row{
		Source: SeedXCAT, Number: n, Platform: XCAT, Section: "Ports Used by xCAT",
		Port: port, Protocol: protocol, SourcePorts: sourceRange, Name: name, Requirement: requirement,
	}
}

// maas is row n of SeedMAAS, columns in the document's order.
func maas(n int, section, name, direction, protocol, port, who, note string) Row {
	return Row{
		Source: SeedMAAS, Number: n, Platform: MAAS, Section: section,
		Name: name, Direction: direction, Protocol: protocol, Port: port, Who: who, Note: note,
	}
}

// Section headings of SeedMAAS.
const (
	maasCore       = "Core Provisioning and Control"
	maasDay2       = "Day-2 OS Operations"
	maasPower      = "Power Drivers and BMC Access (Common)"
	maasVirtual    = "Virtualization and Pods (When Used with MAAS)"
	maasEnterprise = "Optional Enterprise Infrastructure"
)

// corrected puts what the wire does beside what the document says.
func (r Row) corrected(correction, reference string) Row {
	r.Correction, r.Reference = correction, reference
	return r
}

// noted adds a footnote of the document.
func (r Row) noted(footnote string) Row {
	r.Note = footnote
	return r
}

// own is a row that neither document has. New numbers these rows in order.
func own(p Platform, name, protocol, port, direction, who, note, reference string) Row {
	return Row{
		Source: Own, Platform: p, Section: "Added by pxescope",
		Name: name, Protocol: protocol, Port: port, Direction: direction, Who: who, Note: note, Reference: reference,
	}
}
