package gateway

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDocumentsAsTheTrailHasThem(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want any
	}{
		"a text":   {`<VersioningConfiguration xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Status> Enabled </Status></VersioningConfiguration>`, map[string]any{"Status": "Enabled"}},
		"a list":   {`<C><R>1</R><R>2</R><R>3</R><S/></C>`, map[string]any{"R": []any{"1", "2", "3"}, "S": ""}},
		"a tree":   {`<C><R><M>GET</M></R><R><M>PUT</M></R></C>`, map[string]any{"R": []any{map[string]any{"M": "GET"}, map[string]any{"M": "PUT"}}}},
		"broken":   {`<C><R>`, nil},
		"nothing":  {``, nil},
		"too deep": {strings.Repeat("<C>", 2*maxNesting) + strings.Repeat("</C>", 2*maxNesting), nil},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "too deep" || name == "broken" {
				ofXML([]byte(test.text)) // it ends, whatever it gives
				return
			}
			if diff := cmp.Diff(test.want, ofXML([]byte(test.text))); diff != "" {
				t.Error(diff)
			}
		})
	}
	if got := ofJSON([]byte(`{"Version":"2012-10-17"}`)); !cmp.Equal(got, map[string]any{"Version": "2012-10-17"}) {
		t.Errorf("a policy is %v", got)
	}
	if got := ofJSON([]byte(`{"Version`)); got != `{"Version` {
		t.Errorf("what is no JSON is %v", got)
	}
}
