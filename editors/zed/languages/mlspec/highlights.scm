; What a name is follows from where it stands; the compiler's semantic tokens refine it where it runs.
; Later patterns win over earlier ones.

(identifier) @variable

; ---- first line, items, sections ----

(header "mlspec" @keyword)
(header "defaults" @keyword)
(header defaults: (identifier) @constant)

["param" "dim" "op" "block" "let" "input" "output"] @keyword
["in" "as" "by"] @keyword.operator
"import" @keyword.import
"repeat" @keyword.repeat

(section word: (identifier) @keyword)
(section name: (identifier) @type.definition)
(block name: (identifier) @type.definition)
(op name: (identifier) @function)

(param name: (identifier) @constant)
(dim name: (identifier) @constant)
(field name: (identifier) @variable.parameter)
(input name: (identifier) @variable.parameter)
(let name: (identifier) @variable)
(output name: (identifier) @variable)
(typed name: (identifier) @property)
(bind path: (path (identifier) @property))

; ---- types ----

(type name: (identifier) @type)
(rest (identifier) @type)
(any) @variable.builtin

; ---- expressions ----

(member name: (identifier) @property)
(arg name: (identifier) @variable.parameter)
(as path: (path (identifier) @label))
(by column: (identifier) @property)

(call callee: (identifier) @function.call)
(pipe stage: (identifier) @function.call)
(pipe stage: (as stage: (identifier) @function.call))
(repeat body: (identifier) @function.call)
(typed how: (identifier) @function.call)

; Layers, losses and models begin with a capital letter.
((call callee: (identifier) @constructor)
  (#match? @constructor "^[A-Z]"))
((pipe stage: (identifier) @constructor)
  (#match? @constructor "^[A-Z]"))
((pipe stage: (as stage: (identifier) @constructor))
  (#match? @constructor "^[A-Z]"))
((repeat body: (identifier) @constructor)
  (#match? @constructor "^[A-Z]"))

; ---- literals and signs ----

(string) @string
[(integer) (percent) (bytes)] @number
(float) @number.float
(boolean) @boolean

["=" "|>" ".." "->" "==" "!=" "<" "<=" ">" ">=" "+" "-" "*" "/" "@" "^"] @operator
["," ":" "."] @punctuation.delimiter
["(" ")" "[" "]" "{" "}"] @punctuation.bracket

(comment) @comment
(doc_comment) @comment.doc
