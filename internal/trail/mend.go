package trail

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// recentFiles are the log's last two files, the newest first: those in which a crash may have left something.
func recentFiles(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	// The names are dates, so that their order is that of time.
	for _, e := range slices.Backward(entries) {
		if ok, _ := filepath.Match("????-??-??.jsonl", e.Name()); ok && len(files) < 2 {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// mend cuts torn lines off the ends of the newest files. A crash just before midnight tears a line of yesterday's.
func mend(dir string) (cut int64, err error) {
	files, err := recentFiles(dir)
	if err != nil {
		return 0, err
	}
	for _, path := range files {
		n, err := mendFile(path)
		if err != nil {
			return cut, err
		}
		cut += n
	}
	return cut, nil
}

func mendFile(path string) (cut int64, err error) {
	f, err := os.OpenFile(path, os.O_RDWR, 0) //nolint:gosec // a file of the log
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return 0, err
	}
	end := size
	for buf := make([]byte, 64<<10); end > 0; {
		n := min(int64(len(buf)), end)
		if _, err := f.ReadAt(buf[:n], end-n); err != nil {
			return 0, err
		}
		if i := bytes.LastIndexByte(buf[:n], '\n'); i >= 0 {
			end += int64(i) + 1 - n
			break
		}
		end -= n
	}
	if end == size {
		return 0, nil
	}
	return size - end, f.Truncate(end)
}

// lookBack bounds how much of the log is searched for what the outbox still holds. Between the line and the note that it
// is written there are milliseconds.
const lookBack = 16 << 20

// loggedAlready finds which of the events have a line at the end of the log.
func loggedAlready(dir string, ids map[string]bool) (map[string]bool, error) {
	found := map[string]bool{}
	files, err := recentFiles(dir)
	if err != nil {
		return nil, err
	}
	left := int64(lookBack)
	for _, path := range files {
		text, err := tail(path, left)
		if err != nil {
			return nil, err
		}
		left -= int64(len(text))
		for line := range bytes.Lines(text) {
			if id := eventID(line); ids[id] {
				found[id] = true
			}
		}
	}
	return found, nil
}

// eventID reads the id from a line. It is the last member of that name: those before it are parameters, in which
// somebody may have written anything.
func eventID(line []byte) string {
	const name = `"eventID":"`
	i := bytes.LastIndex(line, []byte(name))
	if i < 0 {
		return ""
	}
	id, _, ok := bytes.Cut(line[i+len(name):], []byte{'"'})
	if !ok {
		return ""
	}
	return string(id)
}

func tail(path string, most int64) (text []byte, err error) {
	f, err := os.Open(path) //nolint:gosec // a file of the log
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	text = make([]byte, min(size, most))
	_, err = f.ReadAt(text, size-int64(len(text)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return text, err
}
