[
  (section)
  (block)
  (op)
  (list)
  (args)
  (fields)
] @fold
