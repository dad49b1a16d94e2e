package delivery

import (
	"fmt"
	"slices"
	"strings"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/trail"
	"github.com/lakegate/lakegate/internal/wire"
)

// Selection says which events a trail wants: by basic or by advanced selectors, of which any one may select an event.
// Without any it is all management events and no data events.
type Selection struct {
	Basic    []cloudtrail.EventSelector
	Advanced []cloudtrail.AdvancedEventSelector
}

// The bounds of CloudTrail.
const (
	maxSelectors      = 5
	maxDataResources  = 250
	maxAdvancedValues = 500
)

const objectType = trail.ObjectType

// standard reports whether a trail has the selectors that one has of itself.
func (s *Selection) standard() bool {
	if len(s.Advanced) > 0 {
		return false
	}
	for _, b := range s.Basic {
		if *b.ReadWriteType != cloudtrail.ReadWriteTypeAll || !*b.IncludeManagementEvents || len(b.DataResources) > 0 || len(b.ExcludeManagementEventSources) > 0 {
			return false
		}
	}
	return true
}

// wants reports whether an event is selected.
func (s *Selection) wants(e *trail.Gist) bool {
	if len(s.Advanced) > 0 {
		return slices.ContainsFunc(s.Advanced, func(a cloudtrail.AdvancedEventSelector) bool {
			return !slices.ContainsFunc(a.FieldSelectors, func(f cloudtrail.AdvancedFieldSelector) bool { return !fits(&f, e) })
		})
	}
	if len(s.Basic) == 0 {
		return e.ManagementEvent
	}
	return slices.ContainsFunc(s.Basic, func(b cloudtrail.EventSelector) bool { return selects(&b, e) })
}

// selects is a basic selector, all of whose members are set.
func selects(b *cloudtrail.EventSelector, e *trail.Gist) bool {
	switch *b.ReadWriteType {
	case cloudtrail.ReadWriteTypeReadOnly:
		if !e.ReadOnly {
			return false
		}
	case cloudtrail.ReadWriteTypeWriteOnly:
		if e.ReadOnly {
			return false
		}
	}
	if e.ManagementEvent {
		return *b.IncludeManagementEvents && !slices.Contains(b.ExcludeManagementEventSources, e.EventSource)
	}
	for _, object := range e.Objects() {
		for _, d := range b.DataResources {
			for _, value := range d.Values {
				if value == allObjects || strings.HasPrefix(object, value) {
					return true
				}
			}
		}
	}
	return false
}

// allObjects stands for the objects of all buckets.
const allObjects = "arn:aws:s3"

// fits is one condition of an advanced selector.
func fits(f *cloudtrail.AdvancedFieldSelector, e *trail.Gist) bool {
	c := trail.Condition{Equals: f.Equals, NotEquals: f.NotEquals, StartsWith: f.StartsWith, NotStartsWith: f.NotStartsWith, EndsWith: f.EndsWith, NotEndsWith: f.NotEndsWith}
	return c.Holds(e.Field(f.Field))
}

// checkBasic holds basic selectors against CloudTrail's rules and fills in what they leave out.
func checkBasic(selectors []cloudtrail.EventSelector) ([]cloudtrail.EventSelector, *wire.Error) {
	if len(selectors) > maxSelectors {
		return nil, badSelectors("A trail has at most %d event selectors.", maxSelectors)
	}
	values := 0
	for i := range selectors {
		s := &selectors[i]
		if s.ReadWriteType == nil {
			s.ReadWriteType = new(cloudtrail.ReadWriteTypeAll)
		}
		if s.IncludeManagementEvents == nil {
			s.IncludeManagementEvents = new(true)
		}
		for _, source := range s.ExcludeManagementEventSources {
			if source != "kms.amazonaws.com" && source != "rdsdata.amazonaws.com" {
				return nil, badSelectors("ExcludeManagementEventSources may have kms.amazonaws.com and rdsdata.amazonaws.com.")
			}
		}
		for _, d := range s.DataResources {
			if d.Type == nil || *d.Type != objectType {
				return nil, badSelectors("The type of a data resource is %s: there are no other data events here.", objectType)
			}
			if len(d.Values) == 0 {
				return nil, badSelectors("A data resource needs a value.")
			}
			for _, v := range d.Values {
				if bucket, _, ok := strings.Cut(strings.TrimPrefix(v, allObjects+":::"), "/"); v != allObjects && (!strings.HasPrefix(v, allObjects+":::") || !ok || !bucketName.MatchString(bucket)) {
					return nil, badSelectors("Value %.300q of a data resource: want %s, or %s:::BUCKET/ with the beginning of a key, if any.", v, allObjects, allObjects)
				}
			}
			values += len(d.Values)
		}
	}
	if values > maxDataResources {
		return nil, badSelectors("The event selectors of a trail have at most %d data resources.", maxDataResources)
	}
	return selectors, nil
}

// fields are those of advanced selectors, with the categories of events that they are for.
var fields = map[string]string{
	"eventCategory": "MD", "readOnly": "MD", "eventSource": "MD", "eventName": "MD", "eventType": "MD", "errorCode": "MD", "userIdentity.arn": "MD",
	"resources.type": "D", "resources.ARN": "D",
}

func checkAdvanced(selectors []cloudtrail.AdvancedEventSelector) *wire.Error {
	values := 0
	for _, s := range selectors {
		seen := map[string]*cloudtrail.AdvancedFieldSelector{}
		for i := range s.FieldSelectors {
			f := &s.FieldSelectors[i]
			if seen[f.Field] != nil {
				return badSelectors("Field %s is there more than once.", f.Field)
			}
			seen[f.Field] = f
			n := len(f.Equals) + len(f.StartsWith) + len(f.EndsWith) + len(f.NotEquals) + len(f.NotStartsWith) + len(f.NotEndsWith)
			if n == 0 {
				return badSelectors("Field %s has no value.", f.Field)
			}
			if n != len(f.Equals) && (f.Field == "eventCategory" || f.Field == "readOnly" || f.Field == "resources.type") {
				return badSelectors("Field %s takes Equals alone.", f.Field)
			}
			values += n
		}
		category := seen["eventCategory"]
		if category == nil || len(category.Equals) != 1 || category.Equals[0] != "Management" && category.Equals[0] != "Data" {
			return badSelectors("An advanced event selector needs eventCategory, equal to Management or Data.")
		}
		for name, f := range seen {
			if !strings.Contains(fields[name], category.Equals[0][:1]) {
				return badSelectors("Field %.100s is not for events of category %s.", name, category.Equals[0])
			}
			if name == "readOnly" && (len(f.Equals) != 1 || f.Equals[0] != "true" && f.Equals[0] != "false") {
				return badSelectors("Field readOnly is true or false.")
			}
		}
		if t := seen["resources.type"]; category.Equals[0] == "Data" && (t == nil || len(t.Equals) != 1 || t.Equals[0] != objectType) {
			return badSelectors("Data events need resources.type, equal to %s: there are no others here.", objectType)
		}
	}
	if values > maxAdvancedValues {
		return badSelectors("The advanced event selectors of a trail have at most %d values.", maxAdvancedValues)
	}
	return nil
}

func badSelectors(format string, args ...any) *wire.Error {
	return cloudtrail.InvalidEventSelectorsException(fmt.Sprintf(format, args...))
}
