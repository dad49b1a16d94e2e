package trail

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/lakegate/lakegate/internal/api/cloudtrail"
	"github.com/lakegate/lakegate/internal/caller"
)

// BenchmarkLookupEvents asks for a page out of 60,000 management events, or as many as the variable says: of a name that
// some have, and of what none has, by each condition that no index serves.
func BenchmarkLookupEvents(b *testing.B) {
	events := 60_000
	if v := os.Getenv(eventsVariable); v != "" {
		var err error
		if events, err = strconv.Atoi(v); err != nil || events < 2*reach {
			b.Fatalf("%s is %q: want %d or more, %v", eventsVariable, v, 2*reach, err)
		}
	}
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			h := openHouse(b, engine, Config{})
			const batch = 10_000
			for i := 0; i < events; i += batch {
				rows := make([]*row, min(batch, events-i))
				for j := range rows {
					n := i + j
					rows[j] = &row{
						id: fmt.Sprintf("00000000-0000-4000-8000-%012d", n), account: dataAccount, name: fmt.Sprint("Operation", n%100), source: "s3.amazonaws.com",
						user: fmt.Sprint("user", n%1000), accessKey: fmt.Sprint("ASIA", n%1000), request: fmt.Sprint(n), at: start.Add(time.Duration(n) * time.Second),
						delivered: true, resources: []Resource{{Type: "AWS::S3::Bucket", ARN: "arn:aws:s3:::data"}}, record: make([]byte, 1500),
					}
					for k := range rows[j].record {
						rows[j].record[k] = ' '
					}
				}
				if err := h.store(context.Background(), rows); err != nil {
					b.Fatal(err)
				}
			}
			ctx := caller.With(context.Background(), user(dataAccount, "auditor"))
			s := NewService(h.Trail, AuthorizerFunc(allow))
			for _, by := range []struct {
				key   cloudtrail.LookupAttributeKey
				value string
				found int
			}{
				{cloudtrail.LookupAttributeKeyEventName, "Operation7", maxResults}, {cloudtrail.LookupAttributeKeyEventSource, "none.amazonaws.com", 0},
				{cloudtrail.LookupAttributeKeyReadOnly, "true", 0}, {cloudtrail.LookupAttributeKeyResourceType, "AWS::None", 0},
			} {
				b.Run(string(by.key), func(b *testing.B) {
					for b.Loop() {
						out, err := s.LookupEvents(ctx, &cloudtrail.LookupEventsInput{LookupAttributes: attribute(by.key, by.value)})
						if err != nil || len(out.Events) != by.found || out.NextToken == nil {
							b.Fatalf("%d events, %v", len(out.Events), err)
						}
					}
				})
			}
		})
	}
}
