package main

import (
	"bytes"
	"os"
	"runtime/debug"
	"strconv"
)

// usualGrowth is how far the memory of a server grows beyond what it needs before it is cleaned up, in percent. The indexes
// of grants and people are most of what lives; what a request uses is gone with it.
const usualGrowth = 300

// tendMemory sets how memory is cleaned up where GOGC and GOMEMLIMIT do not: rarely, and the more often the nearer the
// process comes to what the container allows it.
func tendMemory(getenv func(string) string) {
	if getenv("GOGC") == "" {
		debug.SetGCPercent(usualGrowth)
	}
	if getenv("GOMEMLIMIT") != "" {
		return
	}
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return // no container, or one of the first version: the machine's memory is the limit
	}
	if allowed, err := strconv.ParseInt(string(bytes.TrimSpace(text)), 10, 64); err == nil {
		debug.SetMemoryLimit(allowed / 10 * 9)
	}
}
