package sink

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
)

// TestFileOnAFullDisk keeps what it took, has no half lines, and goes on when there is room.
func TestFileOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	remount := func(flags uintptr, size string) {
		t.Helper()
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT|flags, size); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "out.jsonl")
	f := openFile(t, &File{Path: path})
	var taken []string
	refused := 0
	for n := 1; refused < 20; n += 5 {
		err := f.Deliver(t.Context(), lines(numbers(n, n+4)...))
		switch {
		case err == nil:
			taken = append(taken, texts(numbers(n, n+4))...)
		case !errors.Is(err, syscall.ENOSPC):
			t.Fatal(err)
		default:
			refused++
		}
	}
	if got := contents(t, path); !slices.Equal(got, taken) || len(taken) < 100 {
		t.Fatalf("%d records are there, %d were taken", len(got), len(taken))
	}
	remount(0, "size=1m")
	deliver(t, f, 100_001)
	if got := contents(t, path); !slices.Equal(got, append(taken, "100001")) {
		t.Errorf("%d records are there, %d were taken", len(got), len(taken)+1)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	remount(syscall.MS_RDONLY, "")
	if err := f.Deliver(t.Context(), lines(100_002)); !errors.Is(err, syscall.EROFS) {
		t.Errorf("on a read-only disk: %v", err)
	}
	if got := contents(t, path); len(got) != len(taken)+1 {
		t.Errorf("%d records are there", len(got))
	}
}

// TestFileThatCannotBeRotated keeps what it has, and goes on when it can be.
func TestFileThatCannotBeRotated(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.jsonl")
	f := openFile(t, &File{Path: path, RotateBytes: 300})
	deliver(t, f, 1, 2)
	taken := f.name(start)
	if err := os.MkdirAll(filepath.Join(taken, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := f.Deliver(t.Context(), lines(3)); err == nil {
		t.Fatal("a folder was replaced by a file")
	}
	if got := contents(t, path); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("got %v", got)
	}
	if err := os.RemoveAll(taken); err != nil {
		t.Fatal(err)
	}
	deliver(t, f, 3)
	if got := append(contents(t, taken), contents(t, path)...); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("got %v", got)
	}
}
