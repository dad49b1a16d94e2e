package remote_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lakegate/lakegate/internal/storage"
)

// TestAKeyThatIsNamedTwiceIsAskedForOnce, as MinIO has no name in its answer to the second; both are answered.
func TestAKeyThatIsNamedTwiceIsAskedForOnce(t *testing.T) {
	m, _ := hostile(t, "", func(w http.ResponseWriter, r *http.Request) {
		text, err := io.ReadAll(r.Body)
		if err != nil || strings.Count(string(text), "<Object><Key>a</Key></Object>") != 1 || strings.Count(string(text), "<Object>") != 3 {
			http.Error(w, "", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, `<DeleteResult><Deleted><Key>a</Key></Deleted><Deleted><Key>b</Key></Deleted><Deleted><Key>a</Key><VersionId>v</VersionId></Deleted></DeleteResult>`)
	})
	var in []*storage.DeleteObjectInput
	for _, ref := range []storage.ObjectRef{{Key: "a"}, {Key: "b"}, {Key: "a", VersionID: "v"}, {Key: "a"}} {
		in = append(in, &storage.DeleteObjectInput{ObjectRef: ref})
	}
	for i, r := range m.DeleteObjects(t.Context(), in) {
		if r.Err != nil || r.Output == nil || r.Output.VersionID != in[i].VersionID {
			t.Errorf("%+v: %+v, %v", in[i].ObjectRef, r.Output, r.Err)
		}
	}
}
