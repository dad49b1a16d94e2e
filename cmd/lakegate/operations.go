package main

import (
	"context"
	"fmt"
	"text/tabwriter"

	"github.com/lakegate/lakegate/internal/server"
)

type operationsCommand struct {
	Service string `arg:"" optional:"" help:"One service alone, such as sso-admin."`
	Missing bool   `help:"Print only what is not implemented."`
}

func (c *operationsCommand) Run(_ context.Context, s *streams) error {
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	found := false
	for _, service := range server.Services() {
		if c.Service != "" && c.Service != service.Name {
			continue
		}
		found = true
		implemented := 0
		for _, o := range service.Operations {
			if o.Implemented {
				implemented++
			}
		}
		if _, err := fmt.Fprintf(w, "%s\t%d of %d\n", service.Name, implemented, len(service.Operations)); err != nil {
			return err
		}
		for _, o := range service.Operations {
			mark := "yes"
			if !o.Implemented {
				mark = "no"
			}
			if c.Missing && o.Implemented {
				continue
			}
			if _, err := fmt.Fprintf(w, "  %s\t%s\n", o.Name, mark); err != nil {
				return err
			}
		}
	}
	if !found {
		return fmt.Errorf("no service is called %q", c.Service)
	}
	return w.Flush()
}
