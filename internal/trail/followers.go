package trail

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
)

// followers are those that follow a log at this moment.
type followers struct {
	mu sync.Mutex
	at map[string]*following
}

func (f *followers) join(w *following) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = map[string]*following{}
	}
	if f.at[w.Name] != nil {
		return fmt.Errorf("follow audit log: %s follows it already", w.Name)
	}
	f.at[w.Name] = w
	return nil
}

func (f *followers) leave(w *following) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.at, w.Name)
}

// Followers tells how far each follower at work has come, in the order of their names.
func (l *Log) Followers() []FollowerStatus {
	l.followers.mu.Lock()
	var all []FollowerStatus
	for _, w := range l.followers.at {
		w.mu.Lock()
		all = append(all, w.status)
		w.mu.Unlock()
	}
	l.followers.mu.Unlock()
	slices.SortFunc(all, func(a, b FollowerStatus) int { return strings.Compare(a.Name, b.Name) })
	for i := range all {
		all[i].Behind = l.behind(all[i].Position)
	}
	return all
}

// behind is how many bytes of the log's files are after a position. In the middle of a compressed segment it is too much.
func (l *Log) behind(p Position) int64 {
	end := l.Position()
	if p.Node == end.Node && p.Segment == end.Segment {
		return max(0, end.Offset-p.Offset)
	}
	all, err := segmentsIn(l.cfg.Dir)
	if err != nil {
		return 0
	}
	var sum int64
	for _, s := range all {
		if s.number < p.Segment {
			continue
		}
		if s.number == end.Segment {
			sum += end.Offset
			continue
		}
		suffix := sealedEnd
		if s.plain {
			suffix = plainEnd
		}
		if info, err := os.Stat(segmentPath(l.cfg.Dir, s.number, suffix)); err == nil {
			sum += info.Size()
			if s.plain && s.number == p.Segment {
				sum -= p.Offset
			}
		}
	}
	return sum
}
