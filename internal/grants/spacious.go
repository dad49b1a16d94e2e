package grants

// manyPieces of 64 KiB are 2 MiB, from which on memory is spacious.
const manyPieces = 32

// spacious makes a piece of memory without pointers. Where there are many of its kind, a question that reads here and there
// in them waits as long for the address of a page as for what lies on it: they are to lie on large pages.
func spacious[T byte | uint32 | uint64 | row](size int, many bool) []T {
	piece := make([]T, size)
	if many {
		askLargePages(piece)
	}
	return piece
}
