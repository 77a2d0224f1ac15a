package capture

// A FrameID names a frame across several files: the file's index in
// Source.Files and the frame's 1-based number in it, as Wireshark counts.
type FrameID uint64

const numberBits = 44 // 17.6e12 frames a file, 1,048,576 files

// NewFrameID packs a file index and a frame number.
func NewFrameID(file int, number uint64) FrameID {
	return FrameID(uint64(file)<<numberBits | number&(1<<numberBits-1))
}

// File is the index into Source.Files.
func (id FrameID) File() int { return int(id >> numberBits) }

// Number is the frame number inside the file, from 1; 0 is a tick.
func (id FrameID) Number() uint64 { return uint64(id) & (1<<numberBits - 1) }
