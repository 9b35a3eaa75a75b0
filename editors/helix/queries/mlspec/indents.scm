; Names of nvim-treesitter; Helix reads the same file's @indent and @outdent.

[
  (body)
  (args)
  (fields)
  (list)
  (tuple)
  (paren)
  (shape)
] @indent.begin @indent

; What goes on in the next line: stages of a pipe, the value of an entry.
[
  (let)
  (output)
  (bind)
] @indent.begin @indent

["}" ")" "]"] @indent.branch @indent.end @outdent

[(comment) (doc_comment) (string)] @indent.auto
