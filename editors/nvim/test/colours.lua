-- Opens the spec in MLSPEC_FILE with the grammar on the runtime path, and prints `word @capture` of every word in
-- MLSPEC_WORDS (`row:column`, both from 1, with commas between) by the highlight query.

local function run()
  require('mlspec').setup({ cmd = { 'false' } })
  vim.cmd('edit ' .. vim.fn.fnameescape(vim.env.MLSPEC_FILE))
  assert(vim.treesitter.highlighter.active[vim.api.nvim_get_current_buf()], 'no highlighter is active')

  local root = vim.treesitter.get_parser(0, 'mlspec'):parse()[1]:root()
  assert(not root:has_error(), 'the tree has errors')
  local get = vim.treesitter.query.get or vim.treesitter.query.get_query
  local query = get('mlspec', 'highlights')
  local found = {}
  for id, node in query:iter_captures(root, 0, 0, -1) do
    local row, column, _, last = node:range()
    -- Later patterns win.
    found[(row + 1) .. ':' .. (column + 1)] = { last, query.captures[id] }
  end
  for place in vim.env.MLSPEC_WORDS:gmatch('[^,]+') do
    local row, column = place:match('(%d+):(%d+)')
    row, column = tonumber(row), tonumber(column)
    local last, capture = unpack(found[place] or { column, 'nothing' })
    local line = vim.api.nvim_buf_get_lines(0, row - 1, row, true)[1]
    io.stdout:write(line:sub(column, last) .. ' @' .. capture .. '\n')
  end
end

local done, why = pcall(run)
if not done then
  io.stderr:write(tostring(why) .. '\n')
end
vim.cmd(done and 'qall!' or 'cquit 1')
