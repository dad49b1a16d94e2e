// Package architecture holds the table of rooms in docs/architecture.md against the imports of the code.
package architecture

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const (
	module = "github.com/lakegate/lakegate"
	root   = "../.."
)

// floors is the table: a room imports only rooms on lower floors.
var floors = map[string]int{
	"cmd/lakegate":       8,
	"internal/server":    7,
	"internal/demo":      7,
	"internal/plan":      7,
	"internal/gateway":   6,
	"internal/scim":      6,
	"internal/portal":    6,
	"internal/grantfile": 6,
	"internal/request":   6,
	"internal/eventfile": 6,
	"internal/signin":    6,
	"internal/ldap":      6,
	"internal/explain":   6,
	"internal/console":   6,
	"internal/devidp":    6,

	"internal/scimprobe": 6,

	"internal/grants":   5,
	"internal/token":    5,
	"internal/center":   4,
	"internal/session":  4,
	"internal/delivery": 4,

	"internal/sink":      3,
	"internal/directory": 3,
	"internal/account":   3,
	"internal/bucket":    3,
	"internal/authn":     2,
	"internal/issuer":    2,
	"internal/authz":     2,
	"internal/trail":     2,
	"internal/store":     1,
	"internal/storage":   1,
	"internal/policy":    1,
	"internal/visit":     1,
	"internal/api":       1,
	"internal/wire":      0,
	"internal/caller":    0,
	"internal/scope":     0,
	"internal/sigv4":     0,
	"internal/arn":       0,
	"internal/hook":      0,
}

// strangers know Lakegate only over the network: they may import none of its rooms, tests aside.
var strangers = []string{"examples/dataapp", "internal/devidp", "internal/scimprobe", "internal/demo", "internal/plan"}

// beside are imports between neighbours that the table allows, each with its reason.
var beside = map[string]string{
	"internal/authz -> internal/trail": "a decision is noted on the entry of its request",
}

// only names libraries that one room alone may import.
var only = map[string][]string{
	"github.com/versity/versitygw":        {"internal/storage"},
	"github.com/zitadel/oidc":             {"internal/devidp"},
	"modernc.org/sqlite":                  {"internal/store"},
	"github.com/jackc/pgx":                {"internal/store", "internal/store/storetest"},
	"github.com/aws/aws-sdk-go-v2":        {"internal/demo", "internal/plan", "internal/storage", "cmd/lakegate", "examples/dataapp"},
	"github.com/prometheus/client_golang": {"internal/server"},
	"github.com/twmb/franz-go":            {"internal/sink/kafka"},
	"google.golang.org/protobuf":          {"internal/sink"},
	"github.com/go-ldap/ldap":             {"internal/ldap"},
	"github.com/go-asn1-ber/asn1-ber":     {"internal/ldap"},
	"github.com/alecthomas/kong":          {"cmd/lakegate"},
	"github.com/parquet-go/parquet-go":    {"internal/eventfile"},
	"database/sql":                        {"internal/store", "internal/store/storetest"},
	module + "/internal/apigen":           {"internal/apigen"},
}

func TestRoomsImportOnlyLowerFloors(t *testing.T) {
	seen := map[string]bool{}
	walk(t, func(file, room, imported string) {
		target, ours := strings.CutPrefix(imported, module+"/")
		if !ours {
			return
		}
		target = roomOf(target)
		from, to := floors[room], floors[target]
		if _, ok := floors[room]; !ok && strings.HasPrefix(room, "internal/") && room != "internal/apigen" {
			t.Errorf("%s: the room %s is not in the table", file, room)
			return
		}
		seen[room] = true
		if room == target || to < from {
			return
		}
		if _, ok := beside[room+" -> "+target]; ok {
			return
		}
		if _, ok := floors[room]; ok {
			t.Errorf("%s: %s (floor %d) imports %s (floor %d)", file, room, from, target, to)
		}
	})
	if len(seen) < 10 {
		t.Errorf("only %d rooms import anything: the walk is broken", len(seen))
	}
}

func TestStrangersImportNoRoom(t *testing.T) {
	walk(t, func(file, room, imported string) {
		for _, s := range strangers {
			if !strings.HasPrefix(filepath.ToSlash(file), s+"/") {
				continue
			}
			if target, ours := strings.CutPrefix(imported, module+"/"); ours && !strings.HasPrefix(target, s) {
				t.Errorf("%s imports %s: it is to know the rest over the network alone", file, target)
			}
		}
	})
}

func TestLibrariesStayInTheirRoom(t *testing.T) {
	walk(t, func(file, _, imported string) {
		for library, rooms := range only {
			if imported != library && !strings.HasPrefix(imported, library+"/") {
				continue
			}
			allowed := false
			for _, r := range rooms {
				allowed = allowed || strings.HasPrefix(filepath.ToSlash(filepath.Dir(file))+"/", r+"/")
			}
			if !allowed {
				t.Errorf("%s imports %s, which only %s may", file, imported, strings.Join(rooms, " and "))
			}
		}
	})
}

// roomOf is the first two elements of a folder, except that all contracts are one room.
func roomOf(dir string) string {
	parts := strings.Split(dir, "/")
	if len(parts) > 2 {
		parts = parts[:2]
	}
	return strings.Join(parts, "/")
}

// walk visits the imports of every file that is not a test.
func walk(t *testing.T, visit func(file, room, imported string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name := d.Name(); path != root && (strings.HasPrefix(name, ".") || name == "testdata" || name == "node_modules") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		f, err := parser.ParseFile(token.NewFileSet(), path, src, parser.ImportsOnly)
		if err != nil {
			return err
		}
		file, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		for _, i := range f.Imports {
			name, err := strconv.Unquote(i.Path.Value)
			if err != nil {
				return err
			}
			visit(filepath.ToSlash(file), roomOf(filepath.ToSlash(filepath.Dir(file))), name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
