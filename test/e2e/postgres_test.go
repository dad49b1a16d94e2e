package e2e

import (
	"testing"

	"github.com/lakegate/lakegate/internal/store/storetest"
)

// The same chain on the other database, across a stop and a kill: what was set up there is there.
func TestChainOnPostgreSQL(t *testing.T) {
	url := storetest.URL(t, "postgres")
	s := newStory(t, "--database", url)
	s.byEnvironment(mateo)
	s.stop()
	// The same doors again: the issuer is known by its URL.
	s.args = []string{"demo", "--no-browser", "--database", url, "--api", s.API, "--web", s.Web, "--idp", s.IDP, "--app", s.App}
	s.launch()
	s.byEnvironment(mateo)
	// The data application ends with the server, so its port is free again.
	s.kill()
	s.launch()
	s.byEnvironment(mateo)
	s.stop()
}
