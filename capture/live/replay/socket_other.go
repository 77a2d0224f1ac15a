//go:build !linux

package replay

import "errors"

type socket struct{}

func open(string, string) (*socket, error) {
	return nil, errors.New("send frames: only on Linux: " + errors.ErrUnsupported.Error())
}

func (*socket) send([]byte) error { return errors.ErrUnsupported }
func (*socket) close()            {}
