package sink

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/lakegate/lakegate/internal/trail"
)

// Selection says which records a sink wants: those that one of its selectors selects; without any, all.
type Selection []Selector

// Selector is conditions by field, all of which have to hold. The fields and conditions are those of CloudTrail's advanced
// event selectors, and decision and recipientAccountId besides.
type Selector map[string]Condition

// Condition is trail.Condition as the configuration file has it.
type Condition struct {
	Equals        []string `yaml:"equals"`
	NotEquals     []string `yaml:"not_equals"`
	StartsWith    []string `yaml:"starts_with"`
	NotStartsWith []string `yaml:"not_starts_with"`
	EndsWith      []string `yaml:"ends_with"`
	NotEndsWith   []string `yaml:"not_ends_with"`
}

// The bounds of CloudTrail, which are enough for a sink.
const (
	maxSelectors = 20
	maxValues    = 500
)

// closed are fields with the only values that they have, so that a slip of the pen does not lose records unnoticed.
var closed = map[string][]string{
	"eventCategory":  {"Management", "Data"},
	"readOnly":       {"true", "false"},
	"decision":       {trail.DecisionAllowed, trail.DecisionRefused, trail.DecisionFailed},
	"eventType":      {"AwsApiCall", "AwsServiceEvent"},
	"resources.type": {trail.ObjectType},
}

// open are fields that may have any value.
var open = []string{"errorCode", "eventName", "eventSource", "recipientAccountId", "resources.ARN", "userIdentity.arn"}

func (s Selection) check() error {
	if len(s) > maxSelectors {
		return fmt.Errorf("select: want at most %d selectors", maxSelectors)
	}
	values := 0
	for _, one := range s {
		if len(one) == 0 {
			return errors.New("select: a selector needs a field")
		}
		for field, c := range one {
			allowed, isClosed := closed[field]
			if !isClosed && !slices.Contains(open, field) {
				return fmt.Errorf("select: there is no field %.100q", field)
			}
			t := trail.Condition(c)
			if t.Values() == 0 {
				return fmt.Errorf("select: %s has no value", field)
			}
			if isClosed {
				if t.Values() != len(c.Equals)+len(c.NotEquals) {
					return fmt.Errorf("select: %s takes equals and not_equals alone", field)
				}
				for _, v := range slices.Concat(c.Equals, c.NotEquals) {
					if !slices.Contains(allowed, v) {
						return fmt.Errorf("select: %s is never %.100q: want one of %q", field, v, allowed)
					}
				}
			}
			values += t.Values()
		}
	}
	if values > maxValues {
		return fmt.Errorf("select: want at most %d values", maxValues)
	}
	return nil
}

// wants reports whether a record is selected. What cannot be read is wanted: somebody has altered the log, and who selects
// is to know.
func (s Selection) wants(record []byte) bool {
	if len(s) == 0 {
		return true
	}
	var g trail.Gist
	if json.Unmarshal(record, &g) != nil {
		return true
	}
	return slices.ContainsFunc(s, func(one Selector) bool {
		for field, c := range one {
			if t := trail.Condition(c); !t.Holds(g.Field(field)) {
				return false
			}
		}
		return true
	})
}

// of leaves the lines that are selected, in the memory of all.
func (s Selection) of(lines []trail.Line) []trail.Line {
	if len(s) == 0 {
		return lines
	}
	chosen := make([]trail.Line, 0, len(lines))
	for _, l := range lines {
		if l.Damage != "" || s.wants(l.Record) {
			chosen = append(chosen, l)
		}
	}
	return chosen
}
