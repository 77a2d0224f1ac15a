// Package screen is what live shows on a terminal: the nodes and how far each
// came, the newest findings, what the network carries and whether the capture
// keeps up. It is given snapshots and computes no verdict.
//
// The one invariant: what it shows has passed text.Escape; a packet cannot
// move the cursor.
package screen

import (
	"slices"
	"strings"
	"time"

	"charm.land/bubbles/v2/viewport"
	tea "charm.land/bubbletea/v2"

	"github.com/pxescope/pxescope/classify"
	"github.com/pxescope/pxescope/cmd/internal/text"
)

// A Snapshot is the state of one moment. Whoever sends it does not change it
// afterwards.
type Snapshot struct {
	Now        classify.Time    // of the traffic
	Since      classify.Time    // when capturing began
	Report     *classify.Report // never nil
	Interfaces []Interface
	Packets    uint64
	Rate       float64            // packets a second, of all
	Rates      map[string]float64 // by service
	Filter     string             // what the kernel lets through, in words
	Writing    string             // the file of -w, if there is one
}

// An Interface is one line of the header.
type Interface struct {
	Name, State string
	Received    uint64
	Dropped     uint64 // by ring, kernel and interface
	Known       bool   // the drops are
}

// A Notice is a line that stands for some time: an interface went down, a file
// was written.
type Notice string

// Options are what a Model needs.
type Options struct {
	Style text.Style // Width is the terminal's and is ignored
	// Write asks for a file of a node's packets; the answer comes as a Notice.
	// It must not block.
	Write func(node string)
}

// A Model is the screen, for bubbletea.
type Model struct {
	opt           Options
	width, height int
	snap          *Snapshot // as shown
	waiting       *Snapshot // came while paused
	paused        bool
	rows          []row
	selected      string // name of the node
	cursor, top   int    // of rows
	order         order
	search        string
	searching     bool
	page          page
	view          viewport.Model // of a node's page and of the help
	notice        string
	noticeAt      classify.Time
}

// A page is what fills the screen.
type page uint8

const (
	pageNodes page = iota
	pageNode
	pageHelp
)

// An order sorts the nodes.
type order uint8

const (
	byOutcome order = iota // worst first
	byStage                // furthest last
	byTime                 // longest in its stage first
	byName
	numOrders
)

var orderNames = [numOrders]string{"worst first", "by stage", "longest in stage first", "by name"}

// New makes a Model for a terminal of 80 columns and 24 lines, until it hears
// of another size.
func New(o Options) *Model {
	return &Model{opt: o, width: 80, height: 24, view: viewport.New()}
}

// Init implements tea.Model.
func (m *Model) Init() tea.Cmd { return nil }

// Update implements tea.Model.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch x := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = max(x.Width, 20), max(x.Height, 6)
		m.fill()
	case Snapshot:
		if m.paused {
			m.waiting = &x
			return m, nil
		}
		m.show(&x)
	case Notice:
		m.notify(string(x))
	case tea.KeyPressMsg:
		return m, m.key(x)
	}
	return m, nil
}

// noticeTime is how long a notice stands, in time of the traffic.
const noticeTime = 15 * time.Second

func (m *Model) notify(s string) {
	m.notice = s
	if m.snap != nil {
		m.noticeAt = m.snap.Now
	}
}

func (m *Model) show(s *Snapshot) {
	m.snap = s
	switch {
	case m.noticeAt == 0:
		m.noticeAt = s.Now
	case s.Now.Std().Sub(m.noticeAt.Std()) > noticeTime:
		m.notice = ""
	}
	m.arrange()
	m.fill()
}

// key does what a key asks for.
func (m *Model) key(k tea.KeyPressMsg) tea.Cmd {
	name := k.String()
	if name == "ctrl+c" {
		return tea.Quit
	}
	if m.searching {
		m.typed(name, k.Text)
		return nil
	}
	if m.page != pageNodes {
		switch name {
		case "q", "esc", "enter", "backspace", "left":
			m.page = pageNodes
		case "?":
			m.open(pageHelp)
		case "p":
			m.pause()
		case "w":
			m.write()
		default:
			m.view, _ = m.view.Update(k)
		}
		return nil
	}
	switch name {
	case "q":
		return tea.Quit
	case "up", "k":
		m.move(-1)
	case "down", "j":
		m.move(1)
	case "pgup":
		m.move(-m.nodeLines())
	case "pgdown", "space":
		m.move(m.nodeLines())
	case "home", "g":
		m.move(-len(m.rows))
	case "end", "G":
		m.move(len(m.rows))
	case "enter", "right":
		if m.selected != "" {
			m.open(pageNode)
		}
	case "s":
		m.order = (m.order + 1) % numOrders
		m.arrange()
	case "/":
		m.searching, m.search = true, ""
		m.arrange()
	case "esc":
		m.search = ""
		m.arrange()
	case "p":
		m.pause()
	case "w":
		m.write()
	case "?":
		m.open(pageHelp)
	}
	return nil
}

// typed edits the search.
func (m *Model) typed(name, typed string) {
	switch name {
	case "enter":
		m.searching = false
	case "esc":
		m.searching, m.search = false, ""
	case "backspace":
		if r := []rune(m.search); len(r) > 0 {
			m.search = string(r[:len(r)-1])
		}
	case "up":
		m.move(-1)
		return
	case "down":
		m.move(1)
		return
	default:
		m.search += typed
	}
	m.arrange()
}

func (m *Model) pause() {
	m.paused = !m.paused
	if !m.paused && m.waiting != nil {
		s := m.waiting
		m.waiting = nil
		m.show(s)
	}
}

func (m *Model) write() {
	if m.selected != "" && m.opt.Write != nil {
		m.opt.Write(m.selected)
	}
}

func (m *Model) open(p page) {
	m.page = p
	m.fill()
	m.view.GotoTop()
}

// fill puts the text of the page that is open into the view.
func (m *Model) fill() {
	m.view.SetWidth(m.width)
	m.view.SetHeight(m.height - 2)
	style := m.opt.Style
	style.Width = m.width
	switch m.page {
	case pageHelp:
		m.view.SetContent(help)
	case pageNode:
		if n := m.node(); n != nil {
			m.view.SetContent(text.NodePage(m.snap.Report, n, style))
		} else {
			m.page = pageNodes // it is followed no more
		}
	}
}

// node is the node that is selected.
func (m *Model) node() *classify.Node {
	if m.snap == nil {
		return nil
	}
	for i := range m.snap.Report.Nodes {
		if n := &m.snap.Report.Nodes[i]; n.Name() == m.selected {
			return n
		}
	}
	return nil
}

// move moves the cursor, as far as there are rows.
func (m *Model) move(by int) {
	if len(m.rows) == 0 {
		return
	}
	m.cursor = min(max(m.cursor+by, 0), len(m.rows)-1)
	m.selected = m.rows[m.cursor].node.Name()
}

// arrange sorts and searches the nodes; the cursor stays with its node.
func (m *Model) arrange() {
	m.rows = m.rows[:0]
	if m.snap == nil {
		return
	}
	for i := range m.snap.Report.Nodes {
		n := &m.snap.Report.Nodes[i]
		if m.search == "" || matches(n, m.search) {
			m.rows = append(m.rows, newRow(n, m.snap.Now))
		}
	}
	slices.SortStableFunc(m.rows, m.order.compare) // the report's own order is worst first
	at := slices.IndexFunc(m.rows, func(r row) bool { return r.node.Name() == m.selected })
	switch {
	case at >= 0:
		m.cursor = at
	case len(m.rows) == 0:
		m.cursor, m.selected = 0, ""
	default:
		m.move(0)
	}
}

const help = `The nodes that ask for a network boot, the worst first, and below them the
newest findings. Nothing here is kept: q or Ctrl-C ends the capture and prints
the whole report.

  up, down, k, j     choose a node
  pgup, pgdown       a page at a time
  home, end          the first and the last
  enter              the node's timeline, its findings, and what to check next
  s                  sort: worst first, by stage, longest in stage, by name
  /                  search: name, address, host name, stage, outcome, finding
  esc                end the search; go back
  p                  pause the screen; capturing goes on
  w                  write the node's packets of the last minutes to a file
  ?                  this page
  q                  end, and print the report

STAGE is the furthest that the node ever reached, FOR how long it has been
there. Drops are packets that the kernel or the interface lost: a missing
answer may be among them, and what rests on one is said less surely.
`

// matches reports whether a search finds n.
func matches(n *classify.Node, search string) bool {
	search = strings.ToLower(search)
	for _, x := range [][]string{{n.MAC, n.Hostname, n.Stage, n.Outcome, n.Vendor, n.Arch, n.Verdict}, n.Addresses, n.Findings} {
		for _, t := range x {
			if strings.Contains(strings.ToLower(t), search) {
				return true
			}
		}
	}
	return false
}
