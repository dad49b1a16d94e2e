// Command apigen writes the contracts of the AWS services: from each model in models/ a package under internal/api with
// its types, constraints, errors and one interface. The result is committed; `go generate ./...` makes it anew.
//
//	apigen -models ../../models -out .
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

func main() {
	models := flag.String("models", "../../models", "folder of the models")
	out := flag.String("out", ".", "folder to write the packages to")
	flag.Parse()
	if err := run(*models, *out); err != nil {
		fmt.Fprintln(os.Stderr, "apigen:", err)
		os.Exit(1)
	}
}

func run(models, out string) error {
	files, err := Generate(models)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(files) {
		path := filepath.Join(out, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // source code is for all to read
			return err
		}
		if err := os.WriteFile(path, files[name], 0o644); err != nil { //nolint:gosec // as above
			return err
		}
	}
	return nil
}

// Generate makes every file, by its path below internal/api.
func Generate(models string) (map[string][]byte, error) {
	var p patches
	if err := load(models, "patches", &p); err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range sortedKeys(p.Services) {
		var m model
		if err := load(models, name, &m); err != nil {
			return nil, err
		}
		g := newGenerator(name, &m, &p)
		text, err := g.file()
		if err != nil {
			return nil, fmt.Errorf("generate %s: %w", name, err)
		}
		files[filepath.Join(p.Services[name].Package, "api.go")] = text
	}
	var s3 model
	if err := load(models, "s3", &s3); err != nil {
		return nil, err
	}
	text, err := dataPlane(&s3)
	if err != nil {
		return nil, fmt.Errorf("generate s3: %w", err)
	}
	files[filepath.Join("s3", "api.go")] = text
	return files, nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
