package main

import (
	"context"
	"fmt"
)

type keysCommand struct {
	Rotate keysRotate `cmd:"" help:"Make a new key, which signs from now on."`
}

type keysRotate struct {
	Dir      string `required:"" help:"The directory of the running server."`
	Account  string `help:"The account whose administrator asks; the management account by default."`
	Instance string `help:"The ARN of the instance; the account's own by default."`
	Withdraw bool   `help:"Withdraw the former keys at once, as after a compromise: identity tokens that they signed no longer verify."`
}

func (c *keysRotate) Run(ctx context.Context, s *streams) error {
	server, err := clientOf(c.Dir, c.Account)
	if err != nil {
		return err
	}
	in := map[string]any{"Withdraw": c.Withdraw}
	if c.Instance != "" {
		in["InstanceArn"] = c.Instance
	}
	var out struct {
		InstanceArn string
		KeyID       string `json:"KeyId"`
	}
	if err := server.call(ctx, "RotateSigningKey", in, &out); err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.out, "Instance  %s\nKey id    %s\n", out.InstanceArn, out.KeyID)
	return err
}
