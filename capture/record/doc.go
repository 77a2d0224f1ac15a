// Package record writes captures while they come: Writer is the file of -w
// with tcpdump's rotation, Recorder is the flight recorder that keeps the last
// control traffic in memory and saves what is around a finding.
//
// The one invariant: a file ends with a whole block, whenever the program is
// killed. Linux ends a write(2) of a killed process at a multiple of the page
// size in the file (generic_perform_write looks for a fatal signal between two
// pages), so one write per block is not enough: of blocks written one by one in
// a loop, SIGKILL halves one in forty times. In pcapng files therefore no block
// crosses a multiple of 4096 bytes: the block before it is lengthened up to
// there by an option for local use, which readers skip. That makes files of
// small packets 1 or 2 per cent longer, and those of full Ethernet frames a
// third, as two fit into a page. What remains are blocks
// that are larger than that (segments that GRO merged) and pcap, which knows no
// padding: they are written one by one where they cross, and readers that meet
// the rare half record still have all before it.
//
// A full disk does not end the analysis: it is said once, what is not written
// is counted, in the file's statistics too, and writing resumes when there is
// space.
//
// Files after the first are opened through the directory, which is opened at
// the start, so that they need no more than the right to create files in it:
// Writer.Dirs names what landlock has to allow, and Ready, called when
// privileges are gone, says at once if later files are going to fail.
package record
