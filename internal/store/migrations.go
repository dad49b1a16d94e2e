package store

import (
	"bytes"
	"embed"
	"io/fs"
)

//go:embed migrations/*.sql
var migrations embed.FS

// translated is a file system whose SQL files read in the dialect of an engine.
type translated struct {
	fs.FS
	translate func(string) string
}

func (t translated) Open(name string) (fs.File, error) {
	f, err := t.FS.Open(name)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil || info.IsDir() {
		return f, err
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(f); err != nil {
		return nil, err
	}
	return &translatedFile{File: f, Reader: bytes.NewReader([]byte(t.translate(b.String())))}, nil
}

func (t translated) Glob(pattern string) ([]string, error)      { return fs.Glob(t.FS, pattern) }
func (t translated) ReadDir(name string) ([]fs.DirEntry, error) { return fs.ReadDir(t.FS, name) }

type translatedFile struct {
	fs.File
	*bytes.Reader
}

func (f *translatedFile) Read(p []byte) (int, error) { return f.Reader.Read(p) }
