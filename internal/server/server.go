// Package server puts the rooms together: it reads the configuration, opens the state, binds every service to the one
// listener of the AWS APIs and S3 (the API door) and everything for browsers, provisioning clients and operators to the
// other (the web door), and stops in order.
//
// What it promises: a handler that answers without having asked for authorisation is turned into an error and a loud log
// line; every request is recorded before it is answered; request ids, sizes, times and numbers are bounded; nothing is
// announced before it works.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lakegate/lakegate/internal/store"
)

// Server is a running server.
type Server struct {
	cfg   Config
	log   *slog.Logger
	lock  *os.File
	claim io.Closer
	db    *store.DB
	rooms *rooms

	api, web           *http.Server
	apiListen, webDoor net.Listener
	ended              chan error
}

// Start opens the directory and serves both doors. The server is not announced: see Announce. getenv is the environment,
// from which the master key may come.
func Start(ctx context.Context, cfg Config, log *slog.Logger, getenv func(string) string) (s *Server, err error) {
	if err := cfg.Complete(); err != nil {
		return nil, err
	}
	cfg.getenv = getenv
	s = &Server{cfg: cfg, log: log, ended: make(chan error, 2)}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
			s = nil
		}
	}()
	if err := os.MkdirAll(cfg.Dir, 0o700); err != nil {
		return s, fmt.Errorf("create directory: %w", err)
	}
	if s.lock, err = lockDir(filepath.Join(cfg.Dir, lockFile)); err != nil {
		return s, err
	}
	if err := RemoveAddresses(cfg.Dir); err != nil {
		return s, err
	}
	keys, err := store.LoadKeys(filepath.Join(cfg.Dir, masterKeyFile), getenv)
	if err != nil {
		return s, err
	}
	if s.apiListen, err = net.Listen("tcp", cfg.API); err != nil {
		return s, fmt.Errorf("open API door: %w", err)
	}
	if s.webDoor, err = net.Listen("tcp", cfg.Web); err != nil {
		return s, fmt.Errorf("open web door: %w", err)
	}
	if s.cfg.WebURL == "" {
		s.cfg.WebURL = "http://" + s.webDoor.Addr().String()
	}
	if s.cfg.APIURL == "" {
		s.cfg.APIURL = "http://" + s.apiListen.Addr().String()
	}
	if s.claim, err = store.Claim(cfg.Database); err != nil {
		return s, err
	}
	if s.db, err = store.Open(ctx, store.Config{URL: cfg.Database, Keys: keys, MaxLag: time.Duration(cfg.Nodes.LagSeconds) * time.Second, Log: log}); err != nil {
		return s, err
	}
	if s.rooms, err = openRooms(ctx, &s.cfg, s.db, log); err != nil {
		return s, err
	}
	if cfg.Development {
		log.WarnContext(ctx, "development mode: trusted token issuers by plain http on loopback are accepted")
	}
	s.serve()
	return s, WritePlace(cfg.Dir, Place{Region: s.cfg.Region, API: s.apiListen.Addr().String()})
}

// serve begins to answer on both doors.
func (s *Server) serve() {
	// Contents have no bound in time of their own, but each piece of one does; see pacedBody.
	s.api = &http.Server{
		Handler: s.rooms.apiHandler, ReadHeaderTimeout: 20 * time.Second, WriteTimeout: s.cfg.transferTime(), IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10,
		ConnState: newConnections(s.cfg.Limits.Connections).track, ConnContext: withConn,
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	s.web = &http.Server{
		Handler: s.rooms.webHandler, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 2 * time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	go func() { s.ended <- s.api.Serve(gatheringListener{s.apiListen}) }()
	go func() { s.ended <- s.web.Serve(s.webDoor) }()
}

// Dir is the server's directory, Region its Region.
func (s *Server) Dir() string    { return s.cfg.Dir }
func (s *Server) Region() string { return s.cfg.Region }

// Addresses tells where the doors are.
func (s *Server) Addresses() Addresses {
	return Addresses{API: s.apiListen.Addr().String(), Web: s.webDoor.Addr().String()}
}

// Announce writes addresses.json, last of all, with what else runs beside the doors.
func (s *Server) Announce(beside Addresses) error {
	a := s.Addresses()
	a.IDP, a.App = beside.IDP, beside.App
	s.rooms.ready.Store(true)
	if s.rooms.ldap != nil {
		s.rooms.ldap.Schedule()
	}
	s.rooms.requests.Hook.Start()
	return WriteAddresses(s.cfg.Dir, a)
}

// Wait serves until the context ends or a door fails, then stops.
func (s *Server) Wait(ctx context.Context) error {
	var failed error
	tend := time.NewTicker(time.Hour)
	defer tend.Stop()
	for {
		select {
		case <-ctx.Done():
		case failed = <-s.ended:
		case <-tend.C:
			s.rooms.tend(ctx)
			continue
		}
		return s.StopAfter(failed)
	}
}

// StopAfter stops the server because of an error, which may be nil, and returns it with what else went wrong.
func (s *Server) StopAfter(cause error) error {
	if errors.Is(cause, http.ErrServerClosed) {
		cause = nil
	}
	s.rooms.ready.Store(false)
	ctx, cancel := context.WithTimeout(context.Background(), s.cfg.shutdownTime())
	defer cancel()
	var doors errgroup.Group
	for _, d := range []*http.Server{s.api, s.web} {
		doors.Go(func() error {
			if err := d.Shutdown(ctx); err != nil {
				return errors.Join(err, d.Close())
			}
			return nil
		})
	}
	return errors.Join(cause, RemoveAddresses(s.cfg.Dir), doors.Wait(), s.release())
}

// release closes what was opened, in the opposite order.
func (s *Server) release() error {
	var errs []error
	if s.rooms != nil {
		errs = append(errs, s.rooms.close())
	}
	if s.db != nil {
		errs = append(errs, s.db.Close())
	}
	if s.claim != nil {
		errs = append(errs, s.claim.Close())
	}
	if s.api == nil {
		for _, l := range []net.Listener{s.apiListen, s.webDoor} {
			if l != nil {
				errs = append(errs, l.Close())
			}
		}
	}
	if s.lock != nil {
		errs = append(errs, s.lock.Close())
	}
	return errors.Join(errs...)
}
