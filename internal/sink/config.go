package sink

import (
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/lakegate/lakegate/internal/sink/kafka"
)

// Config is one sink: an element of audit.sinks in the configuration file. Exactly one of File, Webhook, OTLP and Kafka
// says what it is.
type Config struct {
	// Name tells the sink apart, and keeps its place in the log: one under a new name begins anew.
	Name string `yaml:"name"`
	// From is where a sink begins that has no place yet: "oldest" (default), the oldest record that is kept, or "now".
	From string `yaml:"from"`
	// Records and Bytes bound a delivery; default 1,000 and 1 MiB. One record is always delivered, whatever its size.
	Records int `yaml:"records"`
	Bytes   int `yaml:"bytes"`
	// GatherMilliseconds is how long a record waits for others, so that they are delivered together; default 1,000, for a
	// file 200.
	GatherMilliseconds int `yaml:"gather_milliseconds"`

	// Select says which records the sink wants; none is all. Its place moves over the others.
	Select Selection `yaml:"select"`

	File    *File         `yaml:"file"`
	Webhook *Webhook      `yaml:"webhook"`
	OTLP    *OTLP         `yaml:"otlp"`
	Kafka   *kafka.Config `yaml:"kafka"`
}

const (
	fromOldest = "oldest"
	fromNow    = "now"

	maxRecords = 10_000
	maxBytes   = 16 << 20
	maxGather  = 60_000
)

var sinkName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// Check says what is wrong with a list of sinks, or nil. It reads nothing that they refer to.
func Check(all []Config) error {
	names := map[string]bool{}
	for i := range all {
		c := &all[i]
		if !sinkName.MatchString(c.Name) {
			return fmt.Errorf("audit.sinks: name %q: want up to 63 of a-z, 0-9, '-' and '_'", c.Name)
		}
		if names[c.Name] {
			return fmt.Errorf("audit.sinks: two have the name %s", c.Name)
		}
		names[c.Name] = true
		if err := c.check(); err != nil {
			return fmt.Errorf("audit.sinks: %s: %w", c.Name, err)
		}
	}
	return nil
}

func (c *Config) check() error {
	switch {
	case c.From != "" && c.From != fromOldest && c.From != fromNow:
		return fmt.Errorf("from %q: want %q or %q", c.From, fromOldest, fromNow)
	case c.Records < 0 || c.Records > maxRecords:
		return fmt.Errorf("records %d: want 1 to %d", c.Records, maxRecords)
	case c.Bytes < 0 || c.Bytes > maxBytes:
		return fmt.Errorf("bytes %d: want 1 to %d", c.Bytes, maxBytes)
	case c.GatherMilliseconds < 0 || c.GatherMilliseconds > maxGather:
		return fmt.Errorf("gather_milliseconds %d: want 1 to %d", c.GatherMilliseconds, maxGather)
	}
	if err := c.Select.check(); err != nil {
		return err
	}
	kinds := 0
	var err error
	if c.File != nil {
		kinds, err = kinds+1, c.File.check()
	}
	if c.Webhook != nil {
		kinds, err = kinds+1, errors.Join(err, c.Webhook.check())
	}
	if c.OTLP != nil {
		kinds, err = kinds+1, errors.Join(err, c.OTLP.check())
	}
	if c.Kafka != nil {
		kinds, err = kinds+1, errors.Join(err, c.Kafka.Check())
	}
	if kinds != 1 {
		return errors.New("want one of file, webhook, otlp and kafka")
	}
	return err
}

func (c *Config) gather() time.Duration {
	switch {
	case c.GatherMilliseconds > 0:
		return time.Duration(c.GatherMilliseconds) * time.Millisecond
	case c.File != nil:
		return 200 * time.Millisecond
	}
	return time.Second
}
