package capture

import "time"

// Time is an instant in nanoseconds since the Unix epoch, in UTC. Traffic has
// its own clock: the core never reads another.
type Time int64

// Std converts t for printing.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// Add returns t+d.
func (t Time) Add(d time.Duration) Time { return t + Time(d) }

// Sub returns t-u.
func (t Time) Sub(u Time) time.Duration { return time.Duration(t - u) }
