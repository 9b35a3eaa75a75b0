; What a name in a model, block or op means is looked up there first, then in the file.

[(source_file) (section) (block) (op)] @local.scope

(param name: (identifier) @local.definition.constant)
(dim name: (identifier) @local.definition.constant)
(op name: (identifier) @local.definition.function)
(block name: (identifier) @local.definition.type)
(section name: (identifier) @local.definition.namespace)
(field name: (identifier) @local.definition.parameter)
(input name: (identifier) @local.definition.parameter)
(let name: (identifier) @local.definition.var)
(output name: (identifier) @local.definition.var)
(bind path: (path . (identifier) @local.definition.field .))
(repeat variable: (identifier) @local.definition.var)

(expression/identifier) @local.reference
