"""What every Ubertruck service stands on"""
