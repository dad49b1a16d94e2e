// Command dataapp serves the reference data application. Its configuration is its environment alone; see the README.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"

	"github.com/lakegate/lakegate/examples/dataapp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "dataapp:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	cfg, err := dataapp.FromEnvironment(os.Getenv)
	if err != nil {
		return fmt.Errorf("read environment:\n%w", err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	if cfg.AWS, err = config.LoadDefaultConfig(ctx); err != nil {
		return fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.AWS.Region == "" {
		return errors.New("AWS_REGION must name the Region of the access grants and their buckets")
	}
	app, err := dataapp.New(cfg)
	if err != nil {
		return fmt.Errorf("make application: %w", err)
	}
	listener, err := net.Listen("tcp", cfg.Listen)
	if err != nil {
		return fmt.Errorf("listen on DATAAPP_LISTEN: %w", err)
	}
	server := &http.Server{
		Handler: app, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
	}
	fmt.Printf("data application: %s (listening on %s)\n", cfg.URL, listener.Addr())

	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	closing, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := server.Shutdown(closing); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
