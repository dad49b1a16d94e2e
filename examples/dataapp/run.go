package dataapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/config"
)

// Run serves the application until the context ends. Its configuration is the environment alone; the log goes to log.
func Run(ctx context.Context, getenv func(string) string, log io.Writer) error {
	cfg, err := FromEnvironment(getenv)
	if err != nil {
		return fmt.Errorf("read environment:\n%w", err)
	}
	cfg.Log = slog.New(slog.NewTextHandler(log, nil))
	if cfg.AWS, err = config.LoadDefaultConfig(ctx); err != nil {
		return fmt.Errorf("load AWS configuration: %w", err)
	}
	if cfg.AWS.Region == "" {
		return errors.New("AWS_REGION must name the Region of the access grants and their buckets")
	}
	app, err := New(cfg)
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
	cfg.Log.InfoContext(ctx, "data application is ready", slog.String("url", cfg.URL.String()), slog.String("address", listener.Addr().String()))

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
