-- mlspec in Neovim, 0.7.2 and later: the type of its files, the server, colours where the grammar is installed.
--
--   require('mlspec').setup({})
--   require('mlspec').setup({ cmd = { '/path/to/mlc', 'lsp' }, data = '/path/to/data', on_attach = function(client, buffer) end })

local M = {}

-- Before 0.8 one server is kept here for every folder; later versions share them themselves.
local servers = {}

--- What starts a server for the specs of a folder.
local function config(options, folder)
  return {
    name = 'mlspec',
    cmd = options.cmd or { 'mlc', 'lsp' },
    root_dir = folder,
    init_options = { data = options.data or '' },
    capabilities = options.capabilities or vim.lsp.protocol.make_client_capabilities(),
    on_attach = options.on_attach,
    on_exit = function()
      servers[folder] = nil
    end,
  }
end

local function serve(options, buffer)
  local folder = vim.fn.fnamemodify(vim.api.nvim_buf_get_name(buffer), ':p:h')
  if vim.lsp.start then
    vim.lsp.start(config(options, folder), { bufnr = buffer })
    return
  end
  servers[folder] = servers[folder] or vim.lsp.start_client(config(options, folder))
  if servers[folder] then
    vim.lsp.buf_attach_client(buffer, servers[folder])
  end
end

--- Colours by the tree-sitter grammar, if `parser/mlspec.so` and its queries are found.
local function colour(buffer)
  if #vim.api.nvim_get_runtime_file('parser/mlspec.*', false) == 0 then
    return
  end
  if vim.treesitter.start then
    pcall(vim.treesitter.start, buffer, 'mlspec')
  else
    vim.treesitter.highlighter.new(vim.treesitter.get_parser(buffer, 'mlspec'))
  end
end

local function opened(options, buffer)
  vim.bo[buffer].commentstring = '// %s'
  vim.bo[buffer].shiftwidth = 2
  vim.bo[buffer].expandtab = true
  colour(buffer)
  serve(options, buffer)
end

--- Prepares Neovim for files `*.mlspec`.
--
-- `cmd` starts the server (`{ 'mlc', 'lsp' }`), `data` is where paths of specs are looked up that are not beside
-- them, `capabilities` and `on_attach` are Neovim's.
function M.setup(options)
  options = options or {}
  local group = vim.api.nvim_create_augroup('mlspec', { clear = true })
  vim.api.nvim_create_autocmd({ 'BufRead', 'BufNewFile' }, {
    group = group,
    pattern = '*.mlspec',
    callback = function()
      vim.bo.filetype = 'mlspec'
    end,
  })
  vim.api.nvim_create_autocmd('FileType', {
    group = group,
    pattern = 'mlspec',
    callback = function(event)
      opened(options, event.buf)
    end,
  })
end

return M
