package main

import (
	"fmt"
	"io"
)

// gaps tells people, each once, what an answer about events may lack. It goes beside the answer, so that a table or a file
// stays one. The methods of a nil one do nothing.
type gaps struct {
	out  io.Writer
	told map[string]bool
}

func (g *gaps) tell(all []string) {
	if g == nil {
		return
	}
	for _, what := range all {
		if g.told[what] {
			continue
		}
		if g.told == nil {
			g.told = map[string]bool{}
		}
		g.told[what] = true
		_, _ = fmt.Fprintf(g.out, "This may be incomplete: %s.\n", plain(what))
	}
}
