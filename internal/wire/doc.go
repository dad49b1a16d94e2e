// Package wire speaks the four protocols of the AWS APIs on the server's side: awsJson 1.1, restJson, query and restXml.
//
// A request goes through three steps. Mux.Name finds the service and the operation, so that every error has the right
// envelope. Call.Decode reads the body into a tree (JSON, XML or a form, all behind one interface), binds the tree to the
// operation's input and holds it against every constraint of the model. Call.WriteOutput and Call.WriteError write the
// answer back. What a type is on the wire is in its struct tags, what its texts and numbers may be in the model's table of
// shapes; both are generated. No operation has code of its own here.
//
//	type GetDataAccessInput struct {
//		AccountId string `aws:"x-amz-account-id,AccountId,required,header,member=AccountId"`
//		Target    string `aws:"target,S3Prefix,required,querystring,member=Target"`
//		…
//
// What it promises: a body that a protocol cannot read, a constraint that is broken and an operation that is unknown are
// answered with the code, status and envelope that the AWS service has for them. What could be read in two ways is refused:
// a key, an element or a parameter that stands twice, text after the end, what is not UTF-8, entities and document types.
// Members that the protocol does not know are ignored, as AWS ignores them. Nesting, the number of parts and of parameters
// are bounded whatever the size of the body. Members that the model calls secret are never echoed and never get into the
// trail's Parameters.
//
// What it does not speak, because no service here has it: members that are the whole body, XML attributes, headers of one
// prefix, maps in a query, streams. The generator refuses a model that needs them.
package wire
