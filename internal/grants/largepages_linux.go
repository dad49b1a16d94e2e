package grants

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// largePage is the size of the large pages of most processors, in bytes. Where it is another, the kernel rounds by itself.
const largePage = 2 << 20

// askLargePages asks the kernel to put memory on large pages, all those of which it has a part: those that are written to
// from now on, and those that were before. It changes nothing of what lies there, and where the kernel will or can not, it is
// as good as before. What is around the memory is the Go heap too, which lies in arenas of 64 MiB.
func askLargePages[T any](piece []T) {
	first := uintptr(unsafe.Pointer(unsafe.SliceData(piece)))
	last := first + uintptr(len(piece))*unsafe.Sizeof(piece[0])
	first &^= largePage - 1
	last = (last + largePage - 1) &^ (largePage - 1)
	for _, advice := range []uintptr{unix.MADV_HUGEPAGE, unix.MADV_COLLAPSE} {
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, first, last-first, advice)
	}
}
