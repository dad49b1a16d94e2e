package storage

import "context"

// Batches is a storage that deletes many objects of one bucket at once. Results are in the order of the inputs, which have
// the same bucket and the same BypassGovernance.
type Batches interface {
	DeleteObjects(ctx context.Context, in []*DeleteObjectInput) []DeleteResult
}

// DeleteResult is what became of one object of a batch: Output, or Err.
type DeleteResult struct {
	Output *DeleteObjectOutput
	Err    error
}

// DeleteAll deletes objects of one bucket, at once where the storage can, else one after the other.
func DeleteAll(ctx context.Context, from Objects, in []*DeleteObjectInput) []DeleteResult {
	if b, ok := from.(Batches); ok {
		return b.DeleteObjects(ctx, in)
	}
	results := make([]DeleteResult, len(in))
	for i, o := range in {
		results[i].Output, results[i].Err = from.DeleteObject(ctx, o)
	}
	return results
}
