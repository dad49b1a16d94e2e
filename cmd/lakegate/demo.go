package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/lakegate/lakegate/internal/demo"
	"github.com/lakegate/lakegate/internal/devidp"
	"github.com/lakegate/lakegate/internal/server"
	"github.com/lakegate/lakegate/internal/store"
)

// demoCommand joins the server, the development identity provider, the story and the data application.
type demoCommand struct {
	doors
	IDP       string `name:"idp" help:"Address of the development identity provider (default 127.0.0.1:9422)."`
	App       string `name:"app" help:"Address of the data application (default 127.0.0.1:9423)."`
	Ephemeral bool   `help:"Remove the directory at exit; without --dir it is a fresh temporary one."`
	NoBrowser bool   `help:"Do not open a browser."`
	Empty     bool   `help:"Accounts, identity center and identity provider only: no people, roles, buckets or grants."`
}

// demoPlaces is what a second start has to find again: the issuer's URL cannot change.
type demoPlaces struct {
	API, Web, IDP, App string
}

const demoFile = "demo.json"

func (c *demoCommand) Run(ctx context.Context, s *streams) (err error) {
	log, err := c.logger(s)
	if err != nil {
		return err
	}
	remove, err := c.directory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, remove()) }()
	places, err := c.places()
	if err != nil {
		return err
	}
	cfg, err := c.config()
	if err != nil {
		return err
	}
	cfg.API, cfg.Web = places.API, places.Web
	cfg.Development = true
	if cfg.ManagementAccount == "" {
		cfg.ManagementAccount = demo.CenterAccount
	}
	// Of the story's own steps only what goes wrong is worth a line on the screen. The provider's library knows no logger
	// but the process's.
	quiet := c.quiet(log, s)
	slog.SetDefault(quiet)
	tendMemory(s.getenv)
	srv, err := server.Start(ctx, cfg, quiet, s.getenv)
	if err != nil {
		return err
	}
	stage, err := c.play(ctx, s, srv, places, log)
	if err != nil {
		return srv.StopAfter(err)
	}
	defer stage.close()
	if err := srv.Announce(stage.addresses); err != nil {
		return srv.StopAfter(err)
	}
	if err := c.tell(s, srv, stage); err != nil {
		return srv.StopAfter(err)
	}
	if !c.NoBrowser && !c.Empty {
		openBrowser(ctx, "http://"+stage.addresses.App)
	}
	return srv.Wait(ctx)
}

// quiet logs warnings and errors alone, unless a level was asked for.
func (c *demoCommand) quiet(log *slog.Logger, s *streams) *slog.Logger {
	if c.LogLevel != "info" {
		return log
	}
	return slog.New(slog.NewTextHandler(s.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

// directory settles where the state is and returns what removes it, when it is to be removed.
func (c *demoCommand) directory() (remove func() error, err error) {
	none := func() error { return nil }
	switch {
	case c.Dir == "" && c.Ephemeral:
		if c.Dir, err = os.MkdirTemp("", "lakegate-demo-"); err != nil {
			return none, fmt.Errorf("create directory: %w", err)
		}
	case c.Dir == "":
		c.Dir = "lakegate-data"
	}
	if c.Dir, err = filepath.Abs(c.Dir); err != nil {
		return none, fmt.Errorf("find directory: %w", err)
	}
	if !c.Ephemeral {
		return none, nil
	}
	return func() error { return os.RemoveAll(c.Dir) }, nil
}

// places are the addresses: the flags, else those of the first start, else the defaults.
func (c *demoCommand) places() (demoPlaces, error) {
	p := demoPlaces{"127.0.0.1:9420", "127.0.0.1:9421", "127.0.0.1:9422", "127.0.0.1:9423"}
	text, err := os.ReadFile(filepath.Join(c.Dir, demoFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return p, fmt.Errorf("read %s: %w", demoFile, err)
	}
	if err == nil {
		if err := json.Unmarshal(text, &p); err != nil {
			return p, fmt.Errorf("read %s: %w", demoFile, err)
		}
	}
	for value, flag := range map[*string]string{&p.API: c.API, &p.Web: c.Web, &p.IDP: c.IDP, &p.App: c.App} {
		if flag != "" {
			*value = flag
		}
	}
	return p, nil
}

// stage is what the demo runs beside the server.
type stage struct {
	addresses server.Addresses
	provider  *devidp.Provider
	idp       *http.Server
	app       *child
}

func (st *stage) close() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if st.app != nil {
		st.app.stop()
	}
	_ = st.idp.Shutdown(ctx)
}

// play starts the identity provider, tells the story through the public APIs and starts the data application.
func (c *demoCommand) play(ctx context.Context, s *streams, srv *server.Server, places demoPlaces, log *slog.Logger) (st *stage, err error) {
	idpListener, err := net.Listen("tcp", places.IDP)
	if err != nil {
		return nil, fmt.Errorf("listen for the identity provider: %w", err)
	}
	provider, err := devidp.New(devidp.Config{Listen: idpListener.Addr().String(), StateDir: filepath.Join(srv.Dir(), "idp"), Logger: c.quiet(log, s)})
	if err != nil {
		return nil, fmt.Errorf("start identity provider: %w", err)
	}
	st = &stage{provider: provider, idp: &http.Server{Handler: provider.Handler(), ReadHeaderTimeout: 10 * time.Second}}
	go func() { _ = st.idp.Serve(idpListener) }()
	started := st
	defer func() {
		if err != nil {
			started.close()
		}
	}()
	st.addresses = srv.Addresses()
	st.addresses.IDP = idpListener.Addr().String()

	endpoint := "http://" + st.addresses.API
	centerKey, err := demoKey(srv.Dir(), demo.CenterAccount)
	if err != nil {
		return nil, err
	}
	instance, storeID, err := demo.Accounts(ctx, endpoint, srv.Region(), centerKey)
	if err != nil {
		return nil, err
	}
	dataKey, err := demoKey(srv.Dir(), demo.DataAccount)
	if err != nil {
		return nil, err
	}
	appListener, err := net.Listen("tcp", places.App)
	if err != nil {
		return nil, fmt.Errorf("listen for the data application: %w", err)
	}
	st.addresses.App = appListener.Addr().String()
	if err := appListener.Close(); err != nil {
		return nil, fmt.Errorf("listen for the data application: %w", err)
	}
	if err := signInAtProvider(ctx, srv, provider, instance); err != nil {
		return nil, err
	}
	if !c.Empty {
		err = c.seed(ctx, s, srv, st, demo.Config{
			Endpoint: endpoint, Region: srv.Region(), Center: centerKey, Data: dataKey, InstanceARN: instance, StoreID: storeID,
			Issuer: provider.Issuer(), Audience: dataAppClient, Now: time.Now(),
		})
		if err != nil {
			return nil, err
		}
	}
	return st, c.remember(srv.Dir(), st.addresses)
}

// dataAppClient is the data application's client id at the development identity provider.
const dataAppClient = devidp.DataAppID

func demoKey(dir, account string) (demo.Key, error) {
	p, err := server.ReadCredentials(dir, account)
	return demo.Key{ID: p.AccessKeyID, Secret: p.SecretAccessKey}, err
}

const (
	seededFile = "demo-seeded.json"
	tokenFile  = "demo-scim-token"
	appProfile = "dataapp.aws"
)

// seed provisions the people and tells the story, once; then it starts the data application.
func (c *demoCommand) seed(ctx context.Context, s *streams, srv *server.Server, st *stage, cfg demo.Config) error {
	dir := srv.Dir()
	result, err := readSeeded(dir)
	if errors.Is(err, fs.ErrNotExist) {
		api := &client{endpoint: cfg.Endpoint, region: cfg.Region}
		if api.credentials, err = administrator(dir, demo.CenterAccount); err != nil {
			return err
		}
		token, err := api.newScimToken(ctx, "", "development identity provider", 365)
		if err != nil {
			return err
		}
		if _, err := st.provider.Connect(ctx, devidp.Target{Endpoint: token.Endpoint, Token: token.Token}); err != nil {
			return fmt.Errorf("provision people: %w", err)
		}
		if result, err = demo.Seed(ctx, cfg); err != nil {
			return err
		}
		if err := store.WriteFile(filepath.Join(dir, appProfile), []byte(result.Profile(cfg.Region)), 0o600); err != nil {
			return fmt.Errorf("write the application's profile: %w", err)
		}
		text, err := json.MarshalIndent(result, "", "  ")
		if err != nil {
			return fmt.Errorf("encode story: %w", err)
		}
		if err := store.WriteFile(filepath.Join(dir, seededFile), text, 0o600); err != nil {
			return fmt.Errorf("remember story: %w", err)
		}
	} else if err != nil {
		return err
	}
	st.app, err = startChild(ctx, s, result.Environment(cfg, st.addresses.App, "http://"+st.addresses.App, filepath.Join(dir, appProfile)), "http://"+st.addresses.App)
	return err
}

func readSeeded(dir string) (r demo.Result, err error) {
	text, err := os.ReadFile(filepath.Join(dir, seededFile)) //nolint:gosec // the operator names the directory
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(text, &r); err != nil {
		return r, fmt.Errorf("read %s: %w", seededFile, err)
	}
	return r, nil
}

func (c *demoCommand) remember(dir string, a server.Addresses) error {
	text, err := json.Marshal(demoPlaces{API: a.API, Web: a.Web, IDP: a.IDP, App: a.App})
	if err != nil {
		return fmt.Errorf("encode places: %w", err)
	}
	if err := store.WriteFile(filepath.Join(dir, demoFile), text, 0o600); err != nil {
		return fmt.Errorf("remember places: %w", err)
	}
	return nil
}

// tell prints what a newcomer needs.
func (c *demoCommand) tell(s *streams, srv *server.Server, st *stage) error {
	a := st.addresses
	if c.Empty {
		_, err := fmt.Fprintf(s.out, "lakegate is ready: API http://%s, web http://%s, identity provider %s, directory %s\n", a.API, a.Web, st.provider.Issuer(), srv.Dir())
		return err
	}
	_, err := fmt.Fprintf(s.out, `lakegate is ready.

  Data application    http://%s
  Console             http://%s/console/
  Identity provider   %s
  API door            http://%s      web door  http://%s
  State               %s

  Sign in to the data application, or to the console, as
    Mateo Jackson     mateo@example.com    Red Project Group      sees the sales of red things
    Ana Silva         ana@example.com      Blue Project Group     is refused them
    Wang Xiulan       wang@example.com     Data Administrators    sees everything

  The AWS CLI as one of them: %s login --dir %s

  The AWS CLI as an administrator, in another terminal:
    eval "$(%s env --dir %s --account %s)"
    aws s3 ls s3://%s/
    aws s3control list-access-grants --account-id %s
    aws cloudtrail lookup-events --max-results 5

`, a.App, a.Web, st.provider.Issuer(), a.API, a.Web, srv.Dir(), self(), quoted(srv.Dir()), self(), quoted(srv.Dir()), demo.DataAccount, demo.Bucket, demo.DataAccount)
	return err
}

// self is how this program was called, for a snippet that can be pasted.
func self() string {
	path, err := os.Executable()
	if err != nil || filepath.Base(filepath.Dir(filepath.Dir(path))) == "b001" || isGoRun(path) {
		return "go run ./cmd/lakegate"
	}
	return quoted(path)
}

// isGoRun reports whether the program is a build that `go run` removes when it ends.
func isGoRun(path string) bool {
	rel, err := filepath.Rel(os.TempDir(), path)
	return err == nil && len(rel) > 8 && rel[:8] == "go-build"
}
