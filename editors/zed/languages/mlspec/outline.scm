(section
  word: (identifier) @context
  name: (identifier)? @name) @item

(block "block" @context name: (identifier) @name) @item
(op "op" @context name: (identifier) @name) @item
(param "param" @context name: (identifier) @name) @item
(dim "dim" @context name: (identifier) @name) @item
(input "input" @context name: (identifier) @name) @item
(output "output" @context name: (identifier) @name) @item
