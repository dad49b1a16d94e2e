package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/lakegate/lakegate/internal/server"
)

// envCommand reads the directory alone and needs no running server.
type envCommand struct {
	Dir     string `required:"" help:"The server's directory."`
	Account string `help:"The account whose administrator to be; the management account by default."`
}

func (c *envCommand) Run(_ context.Context, s *streams) error {
	p, err := server.ReadCredentials(c.Dir, c.Account)
	if err != nil {
		return err
	}
	region, api, err := server.ReadPlace(c.Dir)
	if err != nil {
		return err
	}
	return export(s, [][2]string{
		{"AWS_ACCESS_KEY_ID", p.AccessKeyID},
		{"AWS_SECRET_ACCESS_KEY", p.SecretAccessKey},
		{"AWS_DEFAULT_REGION", region},
		{"AWS_ENDPOINT_URL", "http://" + api},
		// Clients of s3control put the account before the host, so they get a name that needs no DNS, and reach it through
		// the API door as their proxy, which answers for any host as itself.
		{"AWS_ENDPOINT_URL_S3_CONTROL", "http://lakegate.internal"},
		{"HTTP_PROXY", "http://" + api},
		{"NO_PROXY", "127.0.0.1,localhost"},
	})
}

// export prints lines for a shell to evaluate.
func export(s *streams, variables [][2]string) error {
	for _, v := range variables {
		if _, err := fmt.Fprintf(s.out, "export %s=%s\n", v[0], quoted(v[1])); err != nil {
			return err
		}
	}
	return nil
}

// quoted quotes a value for a POSIX shell where it needs it.
func quoted(v string) string {
	safe := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:,+=@", r)
	}
	if v != "" && strings.IndexFunc(v, func(r rune) bool { return !safe(r) }) < 0 {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}
