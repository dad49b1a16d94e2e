package main

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/lakegate/lakegate/internal/server"
)

// doors are the flags that serve and demo share.
type doors struct {
	Dir               string `help:"The directory that holds everything the server keeps."`
	API               string `name:"api" help:"Address of the API door, host:port (default 127.0.0.1:9420; port 0 takes a free one)."`
	Web               string `name:"web" help:"Address of the web door, host:port (default 127.0.0.1:9421)."`
	Database          string `help:"postgres://… or a path of a SQLite file (default lakegate.db in the directory)."`
	Config            string `help:"Configuration file (YAML)." type:"existingfile"`
	ManagementAccount string `help:"Id of the organization's management account, for the first start (default: made up)."`
	LogLevel          string `enum:"debug,info,warn,error" default:"info" help:"What to log: debug, info, warn or error."`
}

// config is the configuration file, with the flags over it.
func (d *doors) config() (server.Config, error) {
	var c server.Config
	if d.Config != "" {
		if err := server.ReadConfig(d.Config, &c); err != nil {
			return c, err
		}
	}
	c.Dir = d.Dir
	for value, flag := range map[*string]string{&c.API: d.API, &c.Web: d.Web, &c.Database: d.Database, &c.ManagementAccount: d.ManagementAccount} {
		if flag != "" {
			*value = flag
		}
	}
	return c, nil
}

func (d *doors) logger(s *streams) (*slog.Logger, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(d.LogLevel)); err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	return slog.New(slog.NewJSONHandler(s.err, &slog.HandlerOptions{Level: level})), nil
}

type serveCommand struct {
	doors
}

func (c *serveCommand) Run(ctx context.Context, s *streams) error {
	if c.Dir == "" {
		return fmt.Errorf("give the server's directory: --dir DIR")
	}
	log, err := c.logger(s)
	if err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	tendMemory(s.getenv)
	srv, err := server.Start(ctx, cfg, log, s.getenv)
	if err != nil {
		return err
	}
	if err := srv.Announce(server.Addresses{}); err != nil {
		return srv.StopAfter(err)
	}
	a := srv.Addresses()
	if _, err := fmt.Fprintf(s.out, "lakegate is ready: API http://%s, web http://%s, directory %s\n", a.API, a.Web, srv.Dir()); err != nil {
		return srv.StopAfter(err)
	}
	return srv.Wait(ctx)
}
