package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

type versionCommand struct{}

func (versionCommand) Run(_ context.Context, s *streams) error {
	version, revision := "development", ""
	if info, ok := debug.ReadBuildInfo(); ok {
		if info.Main.Version != "" && info.Main.Version != "(devel)" {
			version = info.Main.Version
		}
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				revision = " " + setting.Value
			}
		}
	}
	_, err := fmt.Fprintf(s.out, "lakegate %s%s\n", version, revision)
	return err
}
