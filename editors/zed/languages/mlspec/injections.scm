; Documentation is Markdown; the compiler shows it so on hover.
((doc_comment) @injection.content
  (#set! injection.language "markdown"))

((comment) @injection.content
  (#set! injection.language "comment"))
